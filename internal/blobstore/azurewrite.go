package blobstore

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"path"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/appendblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
)

// blockSize is what one file being written holds in memory. 50,000 blocks of it
// are 25 GB.
const blockSize = 512 << 10

// azureWriter stages blocks and commits them at the end: until then nothing
// shows, and the service drops what was never committed.
type azureWriter struct {
	ctx     context.Context // of Create
	a       *Azure
	name    string
	client  *blockblob.Client
	cond    *blob.ModifiedAccessConditions
	id      string
	buf     []byte
	blocks  []string
	err     error
	done    bool
	version string
}

func (w *azureWriter) Write(p []byte) (n int, err error) {
	for len(p) > 0 && w.err == nil {
		if len(w.buf) == blockSize {
			// A run that is cancelled still ends its files.
			c, cancel := Outliving(w.ctx, w.a.timeout)
			w.err = w.stage(c)
			cancel()
			continue
		}
		if w.buf == nil {
			w.buf = make([]byte, 0, min(blockSize, max(4096, len(p))))
		}
		k := min(len(p), blockSize-len(w.buf))
		w.buf = append(w.buf, p[:k]...)
		p, n = p[k:], n+k
	}
	return n, w.err
}

// stage sends the gathered bytes as one block.
func (w *azureWriter) stage(ctx context.Context) error {
	id := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s-%06d", w.id, len(w.blocks)))
	if _, err := w.client.StageBlock(ctx, id, streaming.NopCloser(bytes.NewReader(w.buf)), nil); err != nil {
		return w.a.say(w.name, err)
	}
	w.blocks = append(w.blocks, id)
	w.buf = w.buf[:0]
	return nil
}

// contentTypes let a browser show what it is given.
var contentTypes = map[string]string{".json": "application/json", ".jsonl": "application/x-ndjson", ".csv": "text/csv; charset=utf-8", ".html": "text/html; charset=utf-8"}

// Commit makes the blob show. Where the answer does not say what became of it (none
// came, the service stumbled, or our own first try fails the condition of the
// second) it reads back.
func (w *azureWriter) Commit(ctx context.Context) error {
	if w.done {
		return fmt.Errorf("%s is ended already", w.name)
	}
	w.done = true
	if err := errors.Join(w.err, ctx.Err()); err != nil {
		return err
	}
	if len(w.blocks) > 0 && len(w.buf) > 0 {
		if err := w.stage(ctx); err != nil {
			return err
		}
	}
	metadata := map[string]*string{writerKey: &w.id}
	headers := &blob.HTTPHeaders{}
	if t := contentTypes[path.Ext(w.name)]; t != "" {
		headers.BlobContentType = &t
	}
	access := &blob.AccessConditions{ModifiedAccessConditions: w.cond}
	var etag *azcore.ETag
	var err error
	if len(w.blocks) == 0 {
		res, e := w.client.Upload(ctx, streaming.NopCloser(bytes.NewReader(w.buf)), &blockblob.UploadOptions{Metadata: metadata, HTTPHeaders: headers, AccessConditions: access})
		etag, err = res.ETag, e
	} else {
		res, e := w.client.CommitBlockList(ctx, w.blocks, &blockblob.CommitBlockListOptions{Metadata: metadata, HTTPHeaders: headers, AccessConditions: access})
		etag, err = res.ETag, e
	}
	if err == nil {
		w.version = string(deref(etag))
		return nil
	}
	var res *azcore.ResponseError
	if conflict(err) || !errors.As(err, &res) || res.StatusCode >= 500 {
		if version, ok := w.a.ours(context.WithoutCancel(ctx), w.name, w.id); ok {
			w.version = version
			return nil
		}
	}
	if conflict(err) {
		return fmt.Errorf("%s: %w", w.name, ErrChanged)
	}
	return w.a.say(w.name, err)
}

// Abort gives the blob up; staged blocks are dropped by the service.
func (w *azureWriter) Abort() error {
	w.done, w.buf = true, nil
	return nil
}

// Append opens an append blob.
func (a *Azure) Append(ctx context.Context, name string) (Appender, error) {
	full, err := a.blob(name)
	if err != nil {
		return nil, err
	}
	client := a.client.NewAppendBlobClient(full)
	_, err = client.Create(ctx, &appendblob.CreateOptions{AccessConditions: &blob.AccessConditions{
		ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfNoneMatch: to.Ptr(azcore.ETagAny)}}})
	if err != nil && !conflict(err) {
		return nil, a.say(name, err)
	}
	p := &azureAppender{a: a, name: name, client: client}
	return p, p.measure(ctx)
}

// azureAppender adds blocks at the position that it knows: a block that is
// added twice is refused by the service.
type azureAppender struct {
	a      *Azure
	name   string
	client *appendblob.Client
	mu     sync.Mutex
	at     int64
}

func (p *azureAppender) measure(ctx context.Context) error {
	res, err := p.client.GetProperties(ctx, nil)
	if err != nil {
		return p.a.say(p.name, err)
	}
	p.at = deref(res.ContentLength)
	return nil
}

// appendLimit is the largest block that every service version takes.
const appendLimit = 4 << 20

func (p *azureAppender) Append(ctx context.Context, data []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(data) > 0 {
		n := min(len(data), appendLimit)
		if err := p.block(ctx, data[:n]); err != nil {
			return err
		}
		p.at += int64(n)
		data = data[n:]
	}
	return nil
}

// block adds one block; when the answer is not plain it looks whether the block
// is there.
func (p *azureAppender) block(ctx context.Context, data []byte) error {
	var err error
	for range 2 {
		_, err = p.client.AppendBlock(ctx, streaming.NopCloser(bytes.NewReader(data)), &appendblob.AppendBlockOptions{
			AppendPositionAccessConditions: &appendblob.AppendPositionAccessConditions{AppendPosition: &p.at}})
		if err == nil {
			return nil
		}
		if there, lookErr := p.there(ctx, data); lookErr == nil && there {
			return nil
		}
		if bloberror.HasCode(err, bloberror.AppendPositionConditionNotMet) {
			return fmt.Errorf("%s was changed by somebody else: %w", p.name, ErrChanged)
		}
	}
	return p.a.say(p.name, err)
}

// there reports whether the blob ends with the data at the known position.
func (p *azureAppender) there(ctx context.Context, data []byte) (bool, error) {
	c, cancel := p.a.call(context.WithoutCancel(ctx))
	defer cancel()
	res, err := p.client.DownloadStream(c, &blob.DownloadStreamOptions{Range: blob.HTTPRange{Offset: p.at, Count: int64(len(data)) + 1}})
	if err != nil {
		return false, err
	}
	got, err := io.ReadAll(res.Body)
	return bytes.Equal(got, data), errors.Join(err, res.Body.Close())
}

func (p *azureAppender) Close() error { return nil }
