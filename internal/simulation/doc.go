// Package simulation holds the proof under faults: whole runs of the real
// sweeper against the simulated tenant, in virtual time, where one seed decides
// what goes wrong between any two requests and any two writes to the store.
//
// It is made of tests alone. It changes nothing of the product and knows of its
// rooms only what the composition root knows; what it checks, it checks from
// outside: at the tenant, and in the store.
package simulation
