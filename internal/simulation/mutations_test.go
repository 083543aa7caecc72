package simulation

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// mutations are deliberate faults in our own code. That the simulation catches
// each of them is what its silence is worth.
var mutations = []struct{ name, file, old, new string }{
	{"the fence is removed", "apply/users.go", `why := r.moved(a, live[a.Subject.ID]); why != ""`, `why := r.moved(a, live[a.Subject.ID]); why != "" && false`},
	{"users are written before the intent", "apply/users.go", "held == nil && !r.intend(ctx, kind, batch)", "false"},
	{"an old look is as good as a new one", "apply/departure.go", "return max(age, wall) > LookAge || min(age, wall) < 0", "return age != age || wall != wall"},
	{"nothing is asked at the departure", "graph/carrier.go", "entra.CheckWrite(ctx); err != nil", "entra.CheckWrite(ctx); err != nil && false"},
	{"HOLD set in mid-run is ignored", "sweep/execute.go", "\tcase held:\n", "\tcase held && false:\n"},
	{"objects are made without an intent", "apply/change.go", "if !r.intend(ctx, a.Kind, []plan.Action{a}) {", "if _ = a; false {"},
	{"a refused batch is not halved", "apply/users.go", "if len(batch) == 1 {", `if r.settleAll(ctx, batch, plan.Failed, "", err.Error()); true {`},
	{"a POST is sent again blindly", "graph/retry.go", "(safe || e.unsent)", "(safe || true)"},
	{"the watermark has no overlap", "sweep/gather/clock.go", "r.watermark().Add(-r.Overlap)", "r.watermark()"},
	{"limits are not looked at", "plan/build.go", "done+wanted > most", "most < 0"},
	{"the gate lets everything through", "sweep/execute.go", "reason, held, err := j.Ledger.Hold(ctx)", "if true {\n\t\treturn nil\n\t}\n\treason, held, err := j.Ledger.Hold(ctx)"},
	{"the lease is not looked at before a write", "sweep/execute.go", "\tlease := j.led.Lease()\n", "\tif true {\n\t\treturn nil\n\t}\n\tlease := j.led.Lease()\n"},
	{"a plan that is another's is carried out", "sweep/decide.go", "if err := j.claim(ctx, j.Output.Redaction.Plan(p)); err != nil {", "if err := j.claim(ctx, j.Output.Redaction.Plan(p)); err != nil && false {"},
	{"the watermark moves past what was not read", "sweep/publish.go", "\t\tif r.snapshot.Complete {\n\t\t\tr.stored.State.Watermark", "\t\tif true {\n\t\t\tr.stored.State.Watermark"},
	{"who lost the lease goes on from its own state", "sweep/publish.go", "\tr.stored.State, r.stored.Version, err = r.Ledger.State(ctx)\n", "\t_, r.stored.Version, err = r.Ledger.State(ctx)\n"},
	{"half a read passes for a whole one", "sweep/gather/risk.go", "\t\tif err != nil {\n\t\t\treturn pages, err\n\t\t}\n\t\tif pages == 0", "\t\tif err != nil {\n\t\t\treturn pages, nil\n\t\t}\n\t\tif pages == 0"},
	{"a run that writes is not marked as open", "sweep/recovery/state.go", "s.BeginsToWrite(run, now)", ""},
	{"break-glass accounts are not excluded", "baseline/drift/breakglass.go", "func (s *breakGlass) covered(d policy.Canonical) bool {",
		"func (s *breakGlass) force(entra.Document) {}\n\nfunc (s *breakGlass) covered(d policy.Canonical) bool {\n\tif true {\n\t\treturn true\n\t}"},
	{"a lost create is not recognised", "apply/recognise.go", "case n == 0:", "case n == 0 && false:"},
	{"a row that comes twice counts twice", "sweep/gather/risk.go", "if !seen.Add(string(u.ID)) {", "if !seen.Add(string(u.ID)) && false {"},
	{"an order that is done is not recognised", "runs/execute.go", "return err == nil, err\n", "return false, err\n"},
	{"who is still under an order is not held back", "sweep/recovery/heldback.go", "s, ok := h.by[userID]", "s, ok := h.by[userID+\"?\"]"},
	{"ids are compared as they came", "entra/id.go", "strings.ToLower(strings.TrimSpace(s))", "strings.TrimSpace(s)"},
	{"who may become a member of a privileged group is not privileged", "graph/privileged.go", "for _, a := range rows {\n\t\t\t\tif a.PrincipalID", "for _, a := range rows[:0] {\n\t\t\t\tif a.PrincipalID"},
	{"what a privileged group passes on is not asked for", "graph/privileged.go", "open, err = p.within(ctx, groups)", "open, err = p.within(ctx, groups[:0])"},
	{"groups that are not readable pass nothing on", "graph/privileged.go", "\tif l.err != nil {\n\t\treturn nil, l.err\n", "\tif l.err != nil {\n\t\treturn nil, nil\n"},
	{"a plan run does not enter its chain", "ledger/run.go", "if head, err = r.l.enter(ctx, Link{Run: r.id, SHA256: r.head}); err != nil {", "if head = r.head; err != nil {"},
	{"who enters the chain of plan runs forgets those who died", "ledger/plans.go", "p.Runs = append(p.Runs, link)\n\t\t\tcontinue", "continue"},
	{"of two plan runs that end at once one is lost", "ledger/plans.go", "if _, err = l.store.PutIf(ctx, l.name(\"plans.json\"), append(data, '\\n'), version); !errors",
		"if err = l.store.Put(ctx, l.name(\"plans.json\"), append(data, '\\n')); !errors"},
	{"an order reaches break-glass accounts", "sweep/decide/decide.go", `if why := k.BreakGlass[u.ID]; why != "" {`, `if why := k.BreakGlass[u.ID]; why != "" && false {`},
	{"an order reaches who is protected", "sweep/decide/decide.go", `if why := k.Rules.Protected(u.ID); why != "" {`, `if why := k.Rules.Protected(u.ID); why != "" && false {`},
	{"an order reaches who holds a directory role", "sweep/decide/decide.go", "case len(k.Roles[u.ID]) > 0:", "case len(k.Roles[u.ID]) > 0 && false:"},
	{"an order is held to no share", "sweep/decide.go", "\tif j.req.Destroy { // bound by", "\tif j.req.Order != nil {\n\t\tin.Limits.MaxShareOfRiskyUsers = 1\n\t}\n\tif j.req.Destroy { // bound by"},
	{"the share is that of dismissals alone", "plan/build.go", "if p.acted(kind) {\n\t\t\tall += n", "if kind == Dismiss {\n\t\t\tall += n"},
	{"the watermark moves before the manifest", "sweep/publish.go", "\tif err := r.join(ctx, m); err != nil {",
		"\tif r.stored.Read && r.snapshot.Complete {\n\t\tr.stored.State.Watermark = r.snapshot.ServiceStart\n\t\tr.stored.Version, _ = r.Ledger.SaveState(ctx, r.stored.State, r.stored.Version)\n\t}\n\tif err := r.join(ctx, m); err != nil {"},
	{"an answer that was lost does not count", "plan/outcome.go", "Unknown:         {bad: true, sent: true, ", "Unknown:         {bad: true, "},
	{"limits count half a day", "sweep/decide.go", "j.Now().Add(-24*time.Hour)", "j.Now().Add(-12*time.Hour)"},
	{"the tenant of the sign-in is not compared", "sweep/gather/gather.go", "entra.NewID(out.Tenant.ID) != entra.NewID(s.TenantID) && entra.IsID(s.TenantID)", "entra.NewID(out.Tenant.ID) != entra.NewID(s.TenantID) && false"},
	{"what is not known of HOLD holds nothing back", "sweep/execute.go", "\tcase err != nil:\n\t\treturn fmt.Errorf(\"looking for HOLD: %w\", err)", "\tcase err != nil && false:\n\t\treturn fmt.Errorf(\"looking for HOLD: %w\", err)"},
	{"a token that was refused is sent again", "graph/send.go", "\t\tc.renewToken(err)\n", ""},
	{"a 401 is asked about for ever", "graph/retry.go", "t.refusedTokens == 1 && !e.challenged", "!e.challenged"},
	{"a 401 ends the run", "graph/retry.go", "t.refusedTokens == 1 && !e.challenged", "false"},
	{"an account is touched whatever becomes of the confirmation", "apply/account.go", "if !is || r.hasConfirmed(a.Subject.ID) {", "if !is || true {"},
	{"an account is touched without a look", "apply/account.go", "moved:   movedAccount,", "moved:   func(*run, plan.Action, *Live) string { return \"\" },"},
	{"a step is taken as often as a run comes by", "triage/decide.go", "return (p.Pending || p.Effective) && slices.Contains(p.Detections, det.ID)\n\t\t}) {", "return false && slices.Contains(p.Detections, det.ID)\n\t\t}) {"},
	{"a sign-in is closed with what nobody covered", "triage/signins.go", "} else if entry == nil || before == nil || entry.safe != before.safe {", "} else if before == nil {"},
	{"new risk of a sign-in is not looked for", "apply/detections.go", "strings.EqualFold(d.RequestID, s.RequestID) && !slices.Contains(s.Detections, d.ID)", "strings.EqualFold(d.RequestID, s.RequestID) && false"},
	{"what was closed besides is not noticed", "apply/detections.go", "if len(over) > 0 {", "if len(over) > len(closes)+100 {"},
	{"any write may leave", "graph/carrier.go", "if err := c.allowed(req); err != nil {", "if err := c.allowed(req); err != nil && false {"},
	{"an exception never ends", "baseline/drift/except.go", "\t\t\te.ends = append(e.ends, was)\n", ""},
	{"what a create was answered with is forgotten", "sweep/recovery/settle.go", "\t\t\t\t\tintents[i].Made = more.ID\n", "\t\t\t\t\t_ = i\n"},
	{"whom an exception has put out is forgotten", "sweep/recovery/exception.go", "\t\t\ts.Exclusions = append(s.Exclusions, x)\n", ""},
	{"who is excluded by hand passes for an exception", "baseline/drift/except.go", "\t\twanted[w.UserID] = true\n", "\t\twanted[w.UserID] = true\n\t\te.excepted = append(e.excepted, here...)\n"},
	{"an exception writes over what the run has written", "apply/exception.go", "\tif before == nil {\n\t\tbefore = policy", "\tif before == nil || live != nil {\n\t\tbefore = policy"},
	{"a promotion needs no evidence", "plan/promotion.go", "p.Holds = len(p.Waits) == 0", "p.Holds = true"},
	{"what breaks an expectation is written all the same", "sweep/expect.go", "	if len(ready) > 0 {\n", "	if len(ready) < 0 {\n"},
	{"expectations that cannot be judged count as fulfilled", "sweep/expect.go", "	if err != nil {\n		return []string{", "	if err != nil && false {\n		return []string{"},
	{"a list that could not be read passes for an empty one", "baseline/drift/unread.go", "if u.Kind == kind {", "if u.Kind == kind && false {"},
	{"an id that stands for nothing passes", "baseline/drift/resolve.go", "problem = p.foreignID(m.Ref, name)", "problem = \"\""},
	{"the end of an exception is not looked at", "exception/bind.go", "if !now.Before(e.Until) {", "if !now.Before(e.Until) && false {"},
	{"an exception may last for ever", "exception/bind.go", "longest.Before(w.Until) {", "longest.Before(w.Until) && false {"},
	{"what was changed since is pruned", "baseline/drift/guard.go", "case e.owned.Hash == \"\" || e.owned.Hash != e.before.HashWithout(e.excepted):", "case e.owned.Hash == \"?\":"},
	{"what was changed among the deleted items comes back", "apply/restore.go", "policy.CanonicalHash(c.Kind, deleted) != c.BeforeHash", "policy.CanonicalHash(c.Kind, deleted) != c.BeforeHash && false"},
	{"an enabled policy comes back without its exclusions", "sweep/restore.go", "len(lacks) > 0 && policy.Enabled(was)", "len(lacks) > 0 && false"},
	{"an enabled policy that was adopted goes by a yes", "baseline/drift/actions.go", "!e.owned.Adopted ||", "e.owned.Adopted ||"},
	{"what was ordered and kept back is a success", "sweep/publish.go", "case keptBack && r.req.ordered()", "case !keptBack && r.req.ordered() && bad"},
	{"a rollback touches what its run has not sent", "sweep/rollback.go", "len(c.Exclusions) > 0 || !sent[a.ID] ||", "len(c.Exclusions) > 0 ||"},
	{"the job's own identity is treated like any other", "sweep/decide/serviceprincipals.go", "\tcase isOwn(k, p):\n", "\tcase isOwn(k, p) && false:\n"},
	{"Microsoft's own applications are treated like any other", "sweep/decide/serviceprincipals.go", "case p.Directory.FirstParty():", "case p.Directory.FirstParty() && false:"},
	{"service principals are not looked at again", "apply/serviceprincipals.go", "\treturn movedRisk(want, live)\n", "\treturn \"\"\n"},
	{"one covered detection of a service principal is enough", "triage/serviceprincipals.go", "\tif uncovered > 0 {\n", "\tif uncovered == len(p.Detections) {\n"},
	{"application permissions are passed over", "triage/serviceprincipals.go", "inWords(append(why, PermissionWords(p.Permissions)...))", "inWords(why)"},
	{"permissions that could not be read are none", "triage/serviceprincipals.go", "case p.PermissionsUnknown != \"\":", "case p.PermissionsUnknown != \"\" && false:"},
	{"the account that the run works as is any other", "triage/decide.go", "case r.own != \"\" && userID == r.own:", "case r.own == \"?\":"},
	{"what another run did is taken for its own", "apply/change.go", "if err := r.Gate(c, r.WriteTimeout); err != nil {\n\t\tr.stop(err)", "if err := r.Gate(c, r.WriteTimeout); err != nil && false {\n\t\tr.stop(err)"},
	{"a rollback believes a run that lost its lease", "sweep/rollback.go", "		sent[o.Action] = o.Status.Sent()\n", "		_ = o\n"},
	{"service principals have no number of their own", "plan/kinds.go", "func(l Limits) int { return l.MaxServicePrincipals }", "func(l Limits) int { return 1 << 30 }"},
	{"a promotion does not wait for its days", "plan/promotion.go", "if p.Day < p.After {", "if p.Day < p.After && false {"},
	{"a rollback goes to what its run made", "sweep/rollback.go", "policy.CanonicalOf(c.Kind, c.Before)", "policy.CanonicalOf(c.Kind, c.After)"},
	{"a rollback puts out whom an exception kept out then", "sweep/rollback.go", "WithoutExcluded(entra.Texts(c.Excepted))}", "WithoutExcluded(entra.Texts(c.Excepted)[:0])}"},
	{"a rollback deletes what other runs made", "sweep/rollback.go", "settings.Exceptions, settings.Prune, settings.Undo = owned, snap.Exceptions, true, true", "settings.Exceptions, settings.Prune, settings.Undo = rec.State.Owned, snap.Exceptions, true, true\n\t_ = owned"},
	{"what comes back may stand beside another of its name", "sweep/restore.go", "if strings.EqualFold(o.DisplayName(), form.DisplayName()) {", "if strings.EqualFold(o.DisplayName(), form.DisplayName()) && false {"},
	{"all feedback on sign-ins is one", "graph/write.go", "\t\tverb = \"confirmSafe\"\n", "\t\tverb = \"dismiss\"\n"},
	{"what was closed before does not count", "plan/build.go", "recent[Detections], detections", "0, detections"},
	{"one covered detection is enough", "triage/decide.go", "if uncovered > 0 {", "if uncovered == len(e.Detections) {"},
}

// witnesses are the tests that must see a mutation where seeds are not the
// right ones to: a package and a pattern of its tests.
var witnesses = map[string][2]string{
	"what a create was answered with is forgotten":               {".", "TestAnAnsweredCreateThatWasEditedSince"},
	"whom an exception has put out is forgotten":                 {".", "TestKilledWithEveryKind"},
	"an old look is as good as a new one":                        {".", "TestAnAppendThatTakesLong"},
	"nothing is asked at the departure":                          {".", "TestAnAppendThatTakesLong"},
	"ids are compared as they came":                              {".", "TestNoOrderReachesWhoIsProtected"},
	"an order reaches break-glass accounts":                      {".", "TestNoOrderReachesWhoIsProtected"},
	"an order reaches who is protected":                          {".", "TestNoOrderReachesWhoIsProtected"},
	"an order is held to no share":                               {".", "TestAnOrderIsHeldToTheShare"},
	"the share is that of dismissals alone":                      {"../plan", "TestTheShareIsOneForAllActionsOnUsers"},
	"the watermark moves before the manifest":                    {".", "TestTheWatermarkMovesLast"},
	"an answer that was lost does not count":                     {"../ledger", "TestWhatCountsAsSent"},
	"limits count half a day":                                    {".", "TestTheLimitsCountAWholeDay"},
	"the tenant of the sign-in is not compared":                  {".", "TestASignInToAnotherTenant"},
	"what is not known of HOLD holds nothing back":               {".", "TestAHoldThatCannotBeLookedFor"},
	"a token that was refused is sent again":                     {".", "TestATokenThatIsRevoked"},
	"a 401 is asked about for ever":                              {".", "TestATokenThatIsRevoked"},
	"a 401 ends the run":                                         {".", "TestATokenThatIsRevoked"},
	"the lease is not looked at before a write":                  {"../sweep", "TestGate"},
	"who lost the lease goes on from its own state":              {".", "TestALostLeaseDoesNotForkTheChain"},
	"a plan that is another's is carried out":                    {".", "TestTwoProcessesUnderOneRunID"},
	"a sign-in is closed with what nobody covered":               {"../triage", "TestSignIns"},
	"new risk of a sign-in is not looked for":                    {"../apply", "TestSingleDetections"},
	"what was closed besides is not noticed":                     {"../apply", "TestSingleDetections"},
	"any write may leave":                                        {"../graph", "TestAForbiddenWriteIsNotSent"},
	"an account is touched whatever becomes of the confirmation": {"../apply", "TestContainmentIsHeldBack"},
	"an account is touched without a look":                       {"../apply", "TestContainmentIsHeldBack"},
	"groups that are not readable pass nothing on":               {"../graph", "TestPrivilegedFailsWhole"},
	"who is excluded by hand passes for an exception":            {"../baseline/drift", "TestExceptionsAndWhoWasExcludedByHand"},
	"service principals have no number of their own":             {"../plan", "TestLimitsOfServicePrincipals"},
	"a refused batch is not halved":                              {"../apply", "TestOneBadIDCostsOnlyItself"},
	"a step is taken as often as a run comes by":                 {"../triage", "TestStepsOfAnEscalation"},
	"an order reaches who holds a directory role":                {".", "TestNoOrderReachesWhoHoldsARole"},
	"a promotion needs no evidence":                              {".", "TestPromotion"},
	"what breaks an expectation is written all the same":         {".", "TestNoWriteBreaksAnExpectation"},
	"expectations that cannot be judged count as fulfilled":      {".", "TestNoWriteBreaksAnExpectation"},
	"a list that could not be read passes for an empty one":      {"../baseline/drift", "TestAListThatIsNotOursToRead"},
	"an id that stands for nothing passes":                       {"../baseline/drift", "TestIDsAreVerified"},
	"the end of an exception is not looked at":                   {"../exception", "."},
	"an exception may last for ever":                             {"../exception", "."},
	"what was changed since is pruned":                           {"../baseline/drift", "TestGuardsOnCreateAndPrune"},
	"what was changed among the deleted items comes back":        {"../apply", "TestRestore"},
	"an enabled policy comes back without its exclusions":        {"../cli", "TestScripts/restore"},
	"an enabled policy that was adopted goes by a yes":           {"../baseline/drift", "TestDestroyOfWhatWasAdopted"},
	"what was ordered and kept back is a success":                {"../cli", "TestScripts/rollback"},
	"a rollback touches what its run has not sent":               {".", "TestARollbackTouchesWhatItsRunHasSent"},
	"permissions that could not be read are none":                {"../triage", "TestServicePrincipalsWithPermissions"},
	"the account that the run works as is any other":             {"../triage", "TestTheOwnAccount"},
	"what another run did is taken for its own":                  {"../apply", "TestALostAnswerWhenTheGateIsShut"},
	"a rollback believes a run that lost its lease":              {".", "TestARollbackLeavesWhatAnotherRunMade"},
	"a rollback deletes what other runs made":                    {".", "TestARollbackLeavesWhatAnotherRunMade"},
	"a plan run does not enter its chain":                        {"../ledger", "TestVerifyPlanRuns"},
	"who enters the chain of plan runs forgets those who died":   {"../ledger", "TestAPlanRunThatDies"},
	"all feedback on sign-ins is one":                            {"../graph", "TestEveryRequestThatCanBeSent"},
	"what was closed before does not count":                      {"../plan", "TestLimitOfDetections"},
	"one covered detection is enough":                            {"../triage", "TestDecide"},
	"one covered detection of a service principal is enough":     {"../triage", "TestServicePrincipalDecisions"},
	"application permissions are passed over":                    {"../triage", "TestServicePrincipalsWithPermissions"},
	"a promotion does not wait for its days":                     {"../plan", "TestPromotionWaits"},
	"a rollback goes to what its run made":                       {"../cli", "TestScripts/rollback"},
	"what comes back may stand beside another of its name":       {"../sweep", "TestMayReturn"},
	"a rollback puts out whom an exception kept out then":        {"../cli", "TestScripts/exceptions"},
	"an exception writes over what the run has written":          {"../cli", "TestScripts/exceptions"},
}

var mutate = flag.Bool("mutations", false, "show that every mutation is caught; takes minutes")

// Each mutation still finds its place in the code. With -mutations each is put
// there, and 200 seeds must catch it:
//
//	go test ./internal/simulation -run TestMutations -mutations -timeout 60m -v
func TestMutations(t *testing.T) {
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			file, err := filepath.Abs(filepath.Join("..", m.file))
			if err != nil {
				t.Fatal(err)
			}
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(src), m.old); n != 1 {
				t.Fatalf("%s holds %q %d times", m.file, m.old, n)
			}
			if *mutate {
				changed := strings.Replace(string(src), m.old, m.new, 1)
				// A function that the new text brings takes the old one's place.
				changed = strings.Replace(changed, "func (s *breakGlass) force(d entra.Document) {", "func (s *breakGlass) forceNot(d entra.Document) {", 1)
				caught(t, m.name, file, changed)
			}
		})
	}
}

var firstBroken = regexp.MustCompile(`seed (\d+): ([^\n]*)`)

// caught runs the seeds, or the witness that is named, over the changed file.
func caught(t *testing.T, name, file, src string) {
	t.Helper()
	dir := t.TempDir()
	changed, overlay := filepath.Join(dir, "changed.go"), filepath.Join(dir, "overlay.json")
	data, err := json.Marshal(map[string]any{"Replace": map[string]string{file: changed}})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{changed: []byte(src), overlay: data} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"-vet=off", "-failfast", "-count=1", "-timeout", "20m"}
	if w, named := witnesses[name]; named {
		args = append(args, "-run", w[1], w[0])
	} else {
		args = append(args, "-run", "TestSeeds", "-first", "-seeds", "200", ".")
	}
	green(t, args)
	out, err := goTest(t, append([]string{"-overlay", overlay}, args...))
	m := firstBroken.FindStringSubmatch(string(out))
	switch {
	case err == nil:
		t.Error("it is not caught")
	case m == nil && strings.Contains(string(out), "build failed"):
		t.Errorf("it does not compile:\n%s", out)
	case m == nil:
		t.Logf("caught by %s: %s", witnesses[name][1], firstLine(out))
	default:
		t.Logf("caught by seed %s: %s", m[1], m[2])
	}
}

func goTest(t *testing.T, args []string) ([]byte, error) {
	return exec.CommandContext(t.Context(), "go", append([]string{"test"}, args...)...).CombinedOutput()
}

var foundGreen = map[string]bool{}

// green demands that a witness finds nothing where no mutation is: one that
// always fails would catch every mutation.
func green(t *testing.T, args []string) {
	t.Helper()
	if key := strings.Join(args, " "); !foundGreen[key] {
		if out, err := goTest(t, args); err != nil {
			t.Fatalf("without the mutation the witness fails too:\n%s", out)
		}
		foundGreen[key] = true
	}
}

func firstLine(out []byte) string {
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}
