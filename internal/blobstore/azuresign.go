package blobstore

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
)

// signing puts the secret of a container to its requests. A secret that the
// account refuses is read again: it may have been rotated since.
type signing struct {
	at     azureURL
	reread func() string // nil where the secret cannot change

	mu   sync.Mutex
	text string // what was read last
	key  *container.SharedKeyCredential
	sas  string // in place of a key
}

func newSigning(at azureURL, o AzureOptions) (*signing, error) {
	s := &signing{at: at, reread: o.Reread, text: o.SAS, sas: strings.TrimPrefix(o.SAS, "?")}
	if o.ConnectionString == "" {
		return s, nil
	}
	part, err := connection(at, o.ConnectionString)
	if err != nil {
		return nil, err
	}
	s.text, s.sas = o.ConnectionString, part["sharedaccesssignature"]
	if s.sas == "" {
		s.key, err = container.NewSharedKeyCredential(part["accountname"], part["accountkey"])
	}
	if err != nil {
		return nil, errNoConnection // its text is a secret
	}
	return s, nil
}

// connection takes a connection string apart, with the names in small letters.
func connection(at azureURL, text string) (map[string]string, error) {
	part := map[string]string{}
	for p := range strings.SplitSeq(text, ";") {
		if k, v, ok := strings.Cut(p, "="); ok {
			part[strings.ToLower(strings.TrimSpace(k))] = strings.TrimSpace(v)
		}
	}
	if at.emulator { // where it listens, store.url says
		if strings.EqualFold(part["usedevelopmentstorage"], "true") {
			part["accountname"], part["accountkey"] = emulatorAccount, emulatorAccountKey
		}
		if part["sharedaccesssignature"] == "" && (part["accountname"] == "" || part["accountkey"] == "") {
			return nil, errNoConnection
		}
		return part, nil
	}
	c, err := azblob.NewClientFromConnectionString(text, nil)
	if err != nil {
		return nil, errNoConnection // its text is a secret
	}
	address, _, _ := strings.Cut(c.URL(), "?")
	if strings.TrimSuffix(address, "/") != at.service {
		return nil, fmt.Errorf("the connection string is that of %s, not of %s", hostOf(address), hostOf(at.service))
	}
	return part, nil
}

// Do implements the SDK's policy, for each try.
func (s *signing) Do(req *policy.Request) (*http.Response, error) {
	res, used, err := s.try(req)
	if err != nil || res.StatusCode != http.StatusForbidden && res.StatusCode != http.StatusUnauthorized || !s.changed(used) {
		return res, err
	}
	runtime.Drain(res)
	res, _, err = s.try(req)
	return res, err
}

func (s *signing) try(req *policy.Request) (res *http.Response, used string, err error) {
	clone := req.Clone(req.Raw().Context())
	if err := clone.RewindBody(); err != nil {
		return nil, "", err
	}
	s.mu.Lock()
	used = s.text
	if u := clone.Raw().URL; s.sas != "" {
		u.RawQuery = strings.TrimPrefix(u.RawQuery+"&"+s.sas, "&")
	}
	s.mu.Unlock()
	res, err = clone.Next()
	return res, used, err
}

// changed reads the secret again, and says whether there is another now than the
// one that was used.
func (s *signing) changed(used string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.text != used {
		return true // for another request meanwhile
	}
	if s.reread == nil {
		return false
	}
	text := s.reread()
	if text == "" || text == s.text || s.take(text) != nil {
		return false // or it is half written: the last one holds
	}
	s.text = text
	return true
}

// take begins to use a secret of the same kind.
func (s *signing) take(text string) error {
	if s.key == nil && !strings.Contains(strings.ToLower(text), "sharedaccesssignature=") {
		s.sas = strings.TrimPrefix(text, "?")
		return nil
	}
	part, err := connection(s.at, text)
	switch {
	case err != nil:
		return err
	case s.key == nil && part["sharedaccesssignature"] != "":
		s.sas = part["sharedaccesssignature"]
		return nil
	case s.key == nil || part["accountname"] != s.key.AccountName() || part["accountkey"] == "":
		return errors.New("it is of another kind or account")
	}
	return s.key.SetAccountKey(part["accountkey"])
}

// signature is what the signature in use says of itself.
func (s *signing) signature() signature {
	s.mu.Lock()
	defer s.mu.Unlock()
	return readSignature(s.sas, s.at.emulator)
}

// by says how the container is signed in to.
func (s *signing) by() string {
	switch {
	case s == nil:
		return byIdentity
	case s.key != nil:
		return byKey
	}
	return bySignature
}
