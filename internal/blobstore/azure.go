package blobstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/google/uuid"
)

// AzureOptions say where a container is and how to sign in to it. Exactly one
// of Credential, ConnectionString and SAS is set.
type AzureOptions struct {
	// URL is https://ACCOUNT.blob.core.windows.net/CONTAINER[/PREFIX], with
	// the suffix of any cloud, or an emulator's
	// http://127.0.0.1:PORT/ACCOUNT/CONTAINER[/PREFIX].
	URL              string
	Credential       azcore.TokenCredential
	ConnectionString string
	SAS              string
	// Reread gives the connection string or the SAS anew, after a refusal; nil
	// where it cannot change.
	Reread func() string
	// Throttled is told of each wait that an account which throttles asks for;
	// nil tells nobody.
	Throttled func(wait time.Duration)
	// Transport carries the requests; nil is the SDK's own.
	Transport policy.Transporter
	// CallTimeout bounds one call, LeaseFor is how long a lease lasts without
	// renewal (15 to 60 s); 0 means 60 s each.
	CallTimeout, LeaseFor time.Duration
}

// Azure is a store in an Azure blob container.
type Azure struct {
	client   *container.Client
	address  string // without secrets
	prefix   string
	timeout  time.Duration
	leaseFor time.Duration

	signing *signing // nil where it signs in with tokens
	now     func() time.Time
}

// OpenAzure opens a container, and makes it where it is missing and the identity
// may make containers.
func OpenAzure(ctx context.Context, o AzureOptions) (*Azure, error) {
	at, err := parseAzureURL(o.URL)
	if err != nil {
		return nil, err
	}
	var s *signing
	if o.ConnectionString != "" || o.SAS != "" {
		if s, err = newSigning(at, o); err != nil {
			return nil, err
		}
	}
	client, err := azureClient(at, o, s)
	if err != nil {
		return nil, err
	}
	a := &Azure{client: client, address: at.service + "/" + at.container, prefix: at.prefix, timeout: o.CallTimeout, leaseFor: o.LeaseFor,
		signing: s, now: time.Now}
	if at.prefix != "" {
		a.address += "/" + strings.TrimSuffix(at.prefix, "/")
	}
	if a.timeout == 0 {
		a.timeout = time.Minute
	}
	if a.leaseFor == 0 {
		a.leaseFor = time.Minute
	}
	return a, a.ensure(ctx, at.emulator)
}

// ensure makes the container if it is missing and we may. Whatever else keeps
// the container from being looked at (a signature for blobs only) shows at the
// first file.
func (a *Azure) ensure(ctx context.Context, emulator bool) error {
	if !emulator {
		if _, err := a.client.GetProperties(ctx, nil); !bloberror.HasCode(err, bloberror.ContainerNotFound) {
			return nil
		}
	}
	_, err := a.client.Create(ctx, nil)
	switch {
	case err == nil, bloberror.HasCode(err, bloberror.ContainerAlreadyExists):
		return nil
	case emulator && bloberror.HasCode(err, bloberror.AuthorizationFailure, bloberror.AuthorizationPermissionMismatch):
		return nil // a signature for this container alone
	case emulator:
		return a.say("", err)
	}
	return fmt.Errorf("the container %s does not exist and could not be made (%w); create it, or name another in store.url", a.address, a.say("", err))
}

// azureURL is the address of a container, taken apart.
type azureURL struct {
	service, container, prefix string
	emulator                   bool
}

func parseAzureURL(text string) (azureURL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return azureURL{}, errors.New("the address of a container is https://ACCOUNT.blob.core.windows.net/CONTAINER[/PREFIX]")
	}
	if u.RawQuery != "" || u.User != nil {
		return azureURL{}, errors.New("the address of a container holds no secret; give a shared access signature as the credential")
	}
	ip := net.ParseIP(u.Hostname())
	at := azureURL{emulator: u.Hostname() == "localhost" || ip != nil && ip.IsLoopback(), service: u.Scheme + "://" + u.Host}
	if u.Scheme == "http" && !at.emulator {
		return azureURL{}, errors.New("plain http is for an emulator on this machine only")
	}
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	if at.emulator {
		at.service += "/" + parts[0]
		parts = parts[1:]
	}
	if len(parts) == 0 || parts[0] == "" {
		return azureURL{}, errors.New("the address names no container")
	}
	at.container = parts[0]
	if len(parts) > 1 {
		prefix := strings.Join(parts[1:], "/")
		if err := CheckName(prefix); err != nil {
			return azureURL{}, fmt.Errorf("the prefix behind the container: %w", err)
		}
		at.prefix = prefix + "/"
	}
	return at, nil
}

func azureClient(at azureURL, o AzureOptions, s *signing) (*container.Client, error) {
	attempt := o.CallTimeout
	if attempt == 0 {
		attempt = time.Minute
	}
	opt := container.ClientOptions{ClientOptions: azcore.ClientOptions{
		Transport:        o.Transport,
		PerCallPolicies:  []policy.Policy{patience{attempt: attempt, told: o.Throttled}},
		PerRetryPolicies: []policy.Policy{oneTry{}},
		Retry:            policy.RetryOptions{MaxRetries: 3, RetryDelay: 500 * time.Millisecond, MaxRetryDelay: soon, TryTimeout: 30 * time.Second},
	}}
	if s != nil {
		opt.PerCallPolicies = append(opt.PerCallPolicies, s)
	}
	address := at.service + "/" + at.container
	switch {
	case s != nil && s.key != nil:
		return container.NewClientWithSharedKeyCredential(address, s.key, &opt)
	case s != nil:
		return container.NewClientWithNoCredential(address, &opt)
	case o.Credential != nil:
		return container.NewClient(address, o.Credential, &opt)
	}
	return nil, errors.New("no credential for the store")
}

var errNoConnection = errors.New("the connection string is not one of a storage account")

// The account that every emulator has, with the key that is published for it;
// UseDevelopmentStorage=true is short for them.
const (
	emulatorAccount    = "devstoreaccount1"
	emulatorAccountKey = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "another account"
	}
	return u.Host
}

// URL is the address without secrets.
func (a *Azure) URL() string { return a.address }

// call bounds a call that is not worth waiting for: to look at something, or to
// give it back. The others end with their caller's time.
func (a *Azure) call(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, a.timeout)
}

func (a *Azure) blob(name string) (string, error) {
	if err := CheckName(name); err != nil {
		return "", err
	}
	return a.prefix + name, nil
}

// say turns the service's errors into ours, with what to do about the common
// ones.
func (a *Azure) say(name string, err error) error {
	if err == nil {
		return nil
	}
	if refused := a.refused(err); refused != nil {
		return refused
	}
	var res *azcore.ResponseError
	switch {
	case bloberror.HasCode(err, bloberror.BlobNotFound):
		return fmt.Errorf("%s: %w", name, ErrNotFound)
	case bloberror.HasCode(err, bloberror.ContainerNotFound):
		return fmt.Errorf("the container %s does not exist; create it, or name another in store.url: %w", a.address, ErrGone)
	case errors.Is(err, ErrThrottled):
		return fmt.Errorf("store %s: %s: %w", a.address, name, err)
	case errors.As(err, &res):
		return fmt.Errorf("store %s: %s: %d %s", a.address, name, res.StatusCode, res.ErrorCode)
	}
	return fmt.Errorf("store %s: %s: %w", a.address, name, withoutQuery(err))
}

// withoutQuery takes the address, which may hold a signature, out of a
// transport error.
func withoutQuery(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// mostInMemory is more than a file has that is read whole, such as the state.
const mostInMemory = 256 << 20

// Get reads a blob; its version is the ETag.
func (a *Azure) Get(ctx context.Context, name string) ([]byte, string, error) {
	in, info, err := a.Open(ctx, name)
	if err != nil {
		return nil, "", err
	}
	data, err := io.ReadAll(io.LimitReader(in, mostInMemory+1))
	if err = errors.Join(err, in.Close()); err != nil {
		return nil, "", a.say(name, err)
	}
	if len(data) > mostInMemory {
		return nil, "", fmt.Errorf("%s is larger than %d MiB", name, mostInMemory>>20)
	}
	if int64(len(data)) != info.Size {
		return nil, "", fmt.Errorf("%s: %d of %d bytes came", name, len(data), info.Size)
	}
	return data, info.Version, nil
}

// Open reads a blob as a stream.
func (a *Azure) Open(ctx context.Context, name string) (io.ReadCloser, Info, error) {
	full, err := a.blob(name)
	if err != nil {
		return nil, Info{}, err
	}
	res, err := a.client.NewBlobClient(full).DownloadStream(ctx, nil)
	if err != nil {
		return nil, Info{}, a.say(name, err)
	}
	info := Info{Name: name, Size: deref(res.ContentLength), Modified: deref(res.LastModified), Version: string(deref(res.ETag))}
	return res.NewRetryReader(ctx, &blob.RetryReaderOptions{MaxRetries: 3}), info, nil
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// writerKey is the metadata that tells our own write from another's when an
// answer was lost.
const writerKey = "Writer"

// Put replaces a blob.
func (a *Azure) Put(ctx context.Context, name string, data []byte) error {
	_, err := a.upload(ctx, name, data, nil)
	return err
}

// PutNew makes a blob that must not exist.
func (a *Azure) PutNew(ctx context.Context, name string, data []byte) error {
	_, err := a.upload(ctx, name, data, &blob.ModifiedAccessConditions{IfNoneMatch: to.Ptr(azcore.ETagAny)})
	if errors.Is(err, ErrChanged) {
		return fmt.Errorf("%s: %w", name, ErrExists)
	}
	return err
}

// PutIf replaces the given version of a blob.
func (a *Azure) PutIf(ctx context.Context, name string, data []byte, version string) (string, error) {
	cond := &blob.ModifiedAccessConditions{IfMatch: to.Ptr(azcore.ETag(version))}
	if version == "" {
		cond = &blob.ModifiedAccessConditions{IfNoneMatch: to.Ptr(azcore.ETagAny)}
	}
	return a.upload(ctx, name, data, cond)
}

func (a *Azure) upload(ctx context.Context, name string, data []byte, cond *blob.ModifiedAccessConditions) (string, error) {
	w, err := a.create(ctx, name, cond)
	if err != nil {
		return "", err
	}
	if _, err := w.Write(data); err != nil {
		return "", err
	}
	err = w.Commit(ctx)
	return w.version, err
}

// conflict reports whether a conditional write was refused for its condition.
func conflict(err error) bool {
	return bloberror.HasCode(err, bloberror.BlobAlreadyExists, bloberror.ConditionNotMet)
}

// ours looks whether the blob is the one that a writer wrote: the SDK repeats a
// write whose answer was lost, and the second try then meets the first.
func (a *Azure) ours(ctx context.Context, name, writer string) (string, bool) {
	c, cancel := a.call(ctx)
	defer cancel()
	full, err := a.blob(name)
	if err != nil {
		return "", false
	}
	res, err := a.client.NewBlobClient(full).GetProperties(c, nil)
	if err != nil {
		return "", false
	}
	for k, v := range res.Metadata {
		if strings.EqualFold(k, writerKey) && deref(v) == writer {
			return string(deref(res.ETag)), true
		}
	}
	return "", false
}

// Create streams a blob in blocks; it shows when they are committed.
func (a *Azure) Create(ctx context.Context, name string) (Writer, error) {
	return a.create(ctx, name, nil)
}

func (a *Azure) create(ctx context.Context, name string, cond *blob.ModifiedAccessConditions) (*azureWriter, error) {
	full, err := a.blob(name)
	if err != nil {
		return nil, err
	}
	return &azureWriter{ctx: ctx, a: a, name: name, client: a.client.NewBlockBlobClient(full), cond: cond, id: uuid.NewString()}, nil
}

// List yields blobs in the order of names.
func (a *Azure) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		pager := a.client.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{
			Prefix: to.Ptr(a.prefix + prefix), Include: container.ListBlobsInclude{Metadata: true}})
		for pager.More() {
			page, err := pager.NextPage(ctx)
			if err != nil {
				yield(Info{}, a.say(prefix, err))
				return
			}
			for _, b := range page.Segment.BlobItems {
				if isFolder(b.Metadata) {
					continue
				}
				i := Info{Name: strings.TrimPrefix(deref(b.Name), a.prefix)}
				if p := b.Properties; p != nil {
					i.Size, i.Modified, i.Version = deref(p.ContentLength), deref(p.LastModified), string(deref(p.ETag))
				}
				if !yield(i, nil) {
					return
				}
			}
		}
	}
}

// ListDirs gives the folders directly in a folder.
func (a *Azure) ListDirs(ctx context.Context, dir string) ([]string, error) {
	prefix := a.prefix
	if dir != "" {
		prefix += dir + "/"
	}
	var out []string
	pager := a.client.NewListBlobsHierarchyPager("/", &container.ListBlobsHierarchyOptions{Prefix: &prefix})
	for pager.More() {
		page, err := pager.NextPage(ctx)
		if err != nil {
			return nil, a.say(dir, err)
		}
		for _, p := range page.Segment.BlobPrefixes {
			out = append(out, strings.TrimSuffix(strings.TrimPrefix(deref(p.Name), prefix), "/"))
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// Delete removes a blob; one that is not there is no error.
func (a *Azure) Delete(ctx context.Context, name string) error {
	full, err := a.blob(name)
	if err != nil {
		return err
	}
	if _, err = a.client.NewBlobClient(full).Delete(ctx, nil); bloberror.HasCode(err, bloberror.BlobNotFound) {
		return nil
	}
	return a.say(name, err)
}
