package sweep

import "errors"

// ErrContinue says that a run has kept its place in a checkpoint and goes on
// under the same id when it is asked to run again. Such a run has no report
// yet, and its journal is empty: once it has written to the tenant it goes to
// its end.
var ErrContinue = errors.New("the run goes on from its checkpoint")
