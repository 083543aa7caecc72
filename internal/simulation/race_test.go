//go:build race

package simulation

// Looking for races costs five times the time; ./check runs all seeds without.
const seedsByDefault = 8
