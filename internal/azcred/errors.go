package azcred

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/risksweep/risksweep/internal/config"
	"github.com/risksweep/risksweep/internal/entra"
)

// Error is why a token was not given, in one line and without any secret. It
// wraps entra.ErrUnauthorized, or entra.ErrThrottled or entra.ErrUnavailable
// where trying again may help.
type Error struct {
	Kind     string // of the credential
	Tenant   string
	Code     string // AADSTS number, empty if there is none
	Message  string
	Hint     string // what to do about it, empty if unknown
	TraceID  string // for support
	Status   int    // HTTP status, 0 if there was no answer
	sentinel error
	wait     time.Duration
}

// Wait is how long the sign-in address asked to wait, 0 if it did not.
func (e *Error) Wait() time.Duration { return e.wait }

// Error is the message in one line.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "signing in with %s", e.Kind)
	if e.Tenant != "" {
		fmt.Fprintf(&b, " to tenant %s", e.Tenant)
	}
	b.WriteString(": " + e.Message)
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	if e.TraceID != "" {
		fmt.Fprintf(&b, " (trace id %s)", e.TraceID)
	}
	return b.String()
}

// Unwrap gives the kind of failure.
func (e *Error) Unwrap() error { return e.sentinel }

// hints are what to do about the answers of Microsoft Entra that people meet
// most, learn.microsoft.com/entra/identity-platform/reference-error-codes.
var hints = map[string]string{
	"50013":   "the federated token or certificate is not one that the application trusts",
	"50034":   "this user does not exist in the tenant",
	"50076":   "a person must pass multifactor authentication; sign in with az login, or use a kind that needs no person",
	"53003":   "a Conditional Access policy blocks this sign-in",
	"65001":   "an administrator has not consented to the application's permissions",
	"70021":   "no federated credential of the application matches the token's issuer and subject",
	"90002":   "there is no such tenant in this cloud: check tenantId and cloud",
	"500011":  "the tenant does not know the resource: check cloud",
	"700016":  "the tenant does not know this application: check clientId and tenantId",
	"700023":  "the assertion is meant for another tenant: check tenantId",
	"700024":  "the clock of this machine is wrong, or the assertion is too old",
	"700027":  "upload this certificate to the application, or use the one that is registered",
	"700211":  "no federated credential of the application matches the token's issuer",
	"700212":  "no federated credential of the application matches the token's audience",
	"700213":  "no federated credential of the application matches the token's subject",
	"7000112": "the application is disabled",
	"7000215": "check that clientSecret is the secret's value, not its id",
	"7000222": "the client secret has expired: make a new one",
	"7000229": "the application has no service principal in this tenant",
}

var (
	codeText  = regexp.MustCompile(`AADSTS(\d+)`)
	rules     = regexp.MustCompile(`-{5,}`)
	breaks    = regexp.MustCompile(`([:.]?)\s*(;\s*)+`) // lines that were joined, some of them empty
	traceText = regexp.MustCompile(`Trace ID: ([0-9a-fA-F-]{36})`)
)

// translated makes every error of a credential an *Error.
type translated struct {
	inner        azcore.TokenCredential
	kind, tenant string
	secrets      []config.Secret
}

// GetToken asks the inner credential.
func (t *translated) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	ctx, throttled := watched(ctx)
	token, err := t.inner.GetToken(ctx, o)
	switch {
	case err == nil && token.Token == "":
		err = errors.New("the answer holds no token")
	case err == nil:
		return token, nil
	}
	if cause := context.Cause(ctx); cause != nil {
		return azcore.AccessToken{}, fmt.Errorf("signing in with %s: %w", t.kind, cause)
	}
	e := t.explain(err)
	throttled.tell(e)
	return azcore.AccessToken{}, e
}

func (t *translated) explain(err error) *Error {
	e := &Error{Kind: t.kind, Tenant: t.tenant, sentinel: entra.ErrUnauthorized}
	var failed *azidentity.AuthenticationFailedError
	answered := errors.As(err, &failed) && failed.RawResponse != nil
	if answered {
		e.fromAnswer(failed.RawResponse)
	}
	if !answered || t.kind == config.KindDefault && e.Code == "" { // default: tell what was tried
		var dialled net.Error
		var asked *url.Error
		text := err.Error()
		if errors.As(err, &dialled) || errors.As(err, &asked) || unreachable(text) {
			e.sentinel = entra.ErrUnavailable
		}
		e.Message = brief(strings.ReplaceAll(text, "\n\t", "; "))
		if m := codeText.FindStringSubmatch(text); m != nil {
			e.Code, e.sentinel = m[1], entra.ErrUnauthorized
		}
	}
	e.Hint = hints[e.Code]
	switch {
	case e.Hint != "":
	case strings.Contains(e.Message, "az login"):
		e.Hint = "run az login"
	case t.kind == config.KindAzureCLI && strings.Contains(e.Message, "not found on path"):
		e.Hint = "install the Azure CLI, or choose another kind of credential"
	case t.kind == config.KindManagedIdentity && e.Status != http.StatusTooManyRequests:
		e.Hint = "does this machine or function app have the managed identity that is named?"
	}
	for _, s := range t.secrets {
		if !s.IsZero() {
			e.Message = strings.ReplaceAll(e.Message, s.Reveal(), "***")
		}
	}
	return e
}

// unreachable recognises failures that the identity library passes on as text
// only.
func unreachable(text string) bool {
	for _, sign := range []string{"dial tcp", "no such host", "connection refused", "connection reset", "i/o timeout", "TLS handshake", "x509:", "tls:", "EOF", "context deadline exceeded"} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}

func (e *Error) fromAnswer(r *http.Response) {
	e.Status = r.StatusCode
	switch {
	case r.StatusCode == http.StatusTooManyRequests:
		e.sentinel = entra.ErrThrottled
	case r.StatusCode >= 500 || r.StatusCode == http.StatusRequestTimeout:
		e.sentinel = entra.ErrUnavailable
	}
	body, err := runtime.Payload(r)
	if err != nil && !errors.Is(err, io.EOF) {
		body = nil
	}
	var answer struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
		Codes       []int  `json:"error_codes"`
		TraceID     string `json:"trace_id"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.Error == "" {
		e.Message = fmt.Sprintf("the sign-in address answered with status %d and no reason", r.StatusCode)
		return
	}
	e.TraceID = brief(answer.TraceID)
	if m := codeText.FindStringSubmatch(answer.Description); m != nil {
		e.Code = m[1]
	} else if len(answer.Codes) > 0 {
		e.Code = fmt.Sprint(answer.Codes[0])
	}
	if m := traceText.FindStringSubmatch(answer.Description); m != nil && e.TraceID == "" {
		e.TraceID = m[1]
	}
	description, _, _ := strings.Cut(answer.Description, "Trace ID:")
	e.Message = brief(description)
	if e.Message == "" {
		e.Message = brief(answer.Error)
	}
}

// brief is a text in one line of bounded length, without the pictures and
// links that the identity library adds.
func brief(text string) string {
	text, _, _ = strings.Cut(text, "To troubleshoot, visit")
	text = rules.ReplaceAllString(text, " ")
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	text = breaks.ReplaceAllStringFunc(text, func(s string) string {
		if s[0] == ':' {
			return ": "
		}
		return "; "
	})
	const most = 500
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + "…"
	}
	return strings.TrimRight(text, " .;")
}

// explainSetup shortens an error that making a credential gave.
func explainSetup(err error) error {
	text := brief(err.Error())
	switch {
	case strings.Contains(text, "no client ID specified"):
		return errors.New("clientId is missing, and AZURE_CLIENT_ID is not set either")
	case strings.Contains(text, "no token file specified"):
		return errors.New("tokenFile is missing, and AZURE_FEDERATED_TOKEN_FILE is not set either")
	}
	return errors.New(text)
}
