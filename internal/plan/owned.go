package plan

import (
	"maps"

	"github.com/risksweep/risksweep/internal/entra"
)

// Owned is what is recorded of the live object that stands for a key of the
// baseline.
type Owned struct {
	ID          entra.ID `json:"id"`
	DisplayName string   `json:"displayName,omitempty"`
	// Hash is that of the live canonical form after our last write, Wanted
	// that of the form that was asked for. Where the service keeps a value
	// otherwise than it was sent they differ; as long as both are what they
	// were, the object is in sync. Wanted is empty after an adoption.
	Hash   string `json:"hash,omitempty"`
	Wanted string `json:"wanted,omitempty"`
	Run    string `json:"run,omitempty"`
	// Adopted says that the object was there before and was taken into ownership.
	// Without it we made it, or a version that did not record this took it.
	Adopted bool `json:"adopted,omitempty"`
}

// OwnedObjects are the recorded objects by kind and key.
type OwnedObjects = map[entra.ObjectKind]map[string]Owned

// SetOwned records an object for a key.
func SetOwned(all OwnedObjects, kind entra.ObjectKind, key string, o Owned) {
	if all[kind] == nil {
		all[kind] = map[string]Owned{}
	}
	all[kind][key] = o
}

// CloneOwned copies the records, so that the given ones stay as they are.
func CloneOwned(all OwnedObjects) OwnedObjects {
	out := make(OwnedObjects, len(all))
	for kind, byKey := range all {
		out[kind] = maps.Clone(byKey)
	}
	return out
}
