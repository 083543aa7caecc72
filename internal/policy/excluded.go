package policy

import (
	"slices"

	"github.com/risksweep/risksweep/internal/entra"
)

const pathExcluded = PathUsers + ".excludeUsers"

// ExcludedUsers are the users that a policy excludes.
func (c Canonical) ExcludedUsers() []string { return Strings(c, pathExcluded) }

// WithExcluded is a policy with users among those that it excludes.
func (c Canonical) WithExcluded(ids []string) Canonical {
	more := Minus(ids, c.ExcludedUsers())
	if len(more) == 0 {
		return c
	}
	return c.withUsers(append(slices.Clone(c.ExcludedUsers()), more...))
}

// WithoutExcluded is a policy without users among those that it excludes.
func (c Canonical) WithoutExcluded(ids []string) Canonical {
	rest := Minus(c.ExcludedUsers(), ids)
	if len(rest) == len(c.ExcludedUsers()) {
		return c
	}
	return c.withUsers(rest)
}

func (c Canonical) withUsers(users []string) Canonical {
	d := c.Document()
	Put(d, pathExcluded, JSONList(users))
	return CanonicalOf(entra.KindPolicy, d)
}

// HashWithout is the hash without some users among those that it excludes.
func (c Canonical) HashWithout(users []string) string {
	if c == nil || len(users) == 0 {
		return c.Hash()
	}
	return c.WithoutExcluded(users).Hash()
}

// WithState is a policy in another state.
func (c Canonical) WithState(state string) Canonical {
	d := c.Document()
	d["state"] = state
	return CanonicalOf(entra.KindPolicy, d)
}
