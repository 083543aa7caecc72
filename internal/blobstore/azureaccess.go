package blobstore

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
)

// AccessError says that a container refuses what it was asked with: what is
// wrong, and what to do about it.
type AccessError struct {
	Store   string // the address, without secrets
	Problem string
	Fix     string
}

func (e *AccessError) Error() string {
	return fmt.Sprintf("the store %s refuses the request: %s; %s", e.Store, e.Problem, e.Fix)
}

// The ways to sign in to a container.
const (
	byIdentity  = "identity"
	byKey       = "key"
	bySignature = "signature"
)

// refusals are the codes that are about access, however it is asked for.
// https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes
var refusals = []bloberror.Code{
	bloberror.AuthenticationFailed, bloberror.AuthorizationFailure, bloberror.AuthorizationPermissionMismatch,
	bloberror.AuthorizationProtocolMismatch, bloberror.AuthorizationResourceTypeMismatch,
	bloberror.AuthorizationServiceMismatch, bloberror.AuthorizationSourceIPMismatch,
	bloberror.InsufficientAccountPermissions, bloberror.InvalidAuthenticationInfo,
	"KeyBasedAuthenticationNotPermitted", "NoAuthenticationInformation", "PublicAccessNotPermitted",
}

const (
	makeSignature = "make a new shared access signature of the container"
	firewall      = "look at the storage account's network rules: they may leave out this machine's address, or take requests through a private endpoint only"
)

// refused explains a refusal; nil if the error is none.
func (a *Azure) refused(err error) error {
	if !bloberror.HasCode(err, refusals...) {
		return nil
	}
	e := &AccessError{Store: a.address}
	switch a.signing.by() {
	case bySignature:
		e.Problem, e.Fix = a.signing.signature().refused(err, a.now())
	case byKey:
		e.Problem, e.Fix = keyRefused(err)
	default:
		e.Problem, e.Fix = identityRefused(err)
	}
	return e
}

func identityRefused(err error) (problem, fix string) {
	switch {
	case bloberror.HasCode(err, bloberror.AuthorizationFailure):
		return "the account does not take this request from here (AuthorizationFailure)",
			firewall + "; then see that the identity has the role Storage Blob Data Contributor on the container"
	case bloberror.HasCode(err, bloberror.AuthorizationPermissionMismatch, bloberror.InsufficientAccountPermissions):
		return "this identity may not do it", "give it the role Storage Blob Data Contributor on the container; a new role can take ten minutes"
	}
	return "the account does not take this identity's token", "see that store.credential signs in to the tenant of the storage account, and that this machine's clock is right"
}

func keyRefused(err error) (problem, fix string) {
	switch {
	case bloberror.HasCode(err, "KeyBasedAuthenticationNotPermitted"):
		return "the account takes no keys", "sign in with an identity: store.credential {kind: default} or {kind: managedIdentity}"
	case bloberror.HasCode(err, bloberror.AuthorizationFailure):
		return "the account does not take this request from here (AuthorizationFailure)", firewall
	}
	return "the key of the connection string does not fit", "copy the connection string of this account anew (keys are rotated), and see that this machine's clock is right"
}

// signature is what a shared access signature says of itself. The parameters
// are public; only sig is secret, and not kept.
// https://learn.microsoft.com/rest/api/storageservices/create-service-sas
type signature struct {
	permissions, starts, ends, addresses, protocol, services, types string
	account, whole, emulator                                        bool
}

func readSignature(query string, emulator bool) signature {
	q, err := url.ParseQuery(strings.TrimPrefix(strings.TrimSpace(query), "?"))
	if err != nil {
		return signature{}
	}
	return signature{permissions: q.Get("sp"), starts: q.Get("st"), ends: q.Get("se"), addresses: q.Get("sip"), protocol: q.Get("spr"),
		services: q.Get("ss"), types: q.Get("srt"), account: q.Has("ss"), emulator: emulator, whole: q.Has("sv") && q.Has("sig") && (q.Has("se") || q.Has("si"))}
}

// needed are the permissions of a sweep: read, add, create, write, delete, list.
const needed = "racwdl"

// missing are the permissions that a sweep needs and the signature lacks. One
// that stands for a stored access policy names none itself.
func (s signature) missing() string {
	if s.permissions == "" {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(s.permissions, r) {
			return -1
		}
		return r
	}, needed)
}

func (s signature) refused(err error, now time.Time) (problem, fix string) {
	ended, ends := signedTime(s.ends)
	begun, starts := signedTime(s.starts)
	switch {
	case !s.whole:
		return "the shared access signature is not whole: it needs sv, se and sig", "copy all of it, from sv= to the end of sig=, without the address before it"
	case ends && now.After(ended):
		return "the shared access signature ended at " + s.ends, makeSignature + " with a later end (se)"
	case starts && now.Before(begun):
		return "the shared access signature begins at " + s.starts + ", which is yet to come here", makeSignature + " with an earlier start (st) or none, and see that this machine's clock is right"
	case bloberror.HasCode(err, bloberror.AuthorizationSourceIPMismatch):
		return "the shared access signature is for the addresses " + s.addresses + ", not for this machine's", makeSignature + " with this machine's address (sip) or without any"
	case bloberror.HasCode(err, bloberror.AuthorizationProtocolMismatch):
		return "the shared access signature is for " + s.protocol + " only", "use that protocol in store.url, or " + makeSignature
	case bloberror.HasCode(err, bloberror.AuthorizationServiceMismatch) || s.account && !strings.Contains(s.services, "b"):
		return "the shared access signature is not for blobs", makeSignature + ", or one of the account with ss=b"
	case bloberror.HasCode(err, bloberror.AuthorizationResourceTypeMismatch) || s.account && !(strings.Contains(s.types, "c") && strings.Contains(s.types, "o")):
		return "the shared access signature is not for containers and the blobs in them", makeSignature + ", or one of the account with srt=co"
	case s.missing() != "" && !bloberror.HasCode(err, bloberror.AuthenticationFailed):
		return fmt.Sprintf("the shared access signature has the permissions %s, not %s", s.permissions, strings.Join(strings.Split(s.missing(), ""), ", ")),
			makeSignature + " with sp=" + needed + " (rl is enough to read reports)"
	case bloberror.HasCode(err, bloberror.AuthenticationFailed), s.emulator: // which has no network rules
		return "the shared access signature does not fit: it is of another container or account, its key was rotated or its policy removed, or its text was changed",
			makeSignature + " that store.url names, and copy all of it"
	case bloberror.HasCode(err, bloberror.AuthorizationFailure):
		return "the account does not take this request from here (AuthorizationFailure)", firewall
	}
	return "the shared access signature does not allow it", makeSignature + " with sp=" + needed
}

// signedTime reads a time of a signature, in any form that the service takes.
func signedTime(text string) (time.Time, bool) {
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", time.DateOnly} {
		if t, err := time.Parse(form, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
