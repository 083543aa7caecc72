package graph

import (
	"context"
	"fmt"
	"hash/maphash"
	"io"
	"iter"
	"net/http"
	"net/url"

	abs "github.com/microsoft/kiota-abstractions-go"

	"github.com/risksweep/risksweep/internal/entra"
)

// maxEmptyPages is how many pages without new items may follow each other. The
// service may send empty pages with a next link (graph-api §1.3), and may send a
// page twice, which loses nothing. A collection with more of them is taken for one
// that never ends.
const maxEmptyPages = 64

// collection describes a list that comes in pages.
type collection[T any] struct {
	first request
	// row decodes one item.
	row func(*rowReader, *T) error
	// id identifies an item, to notice a page that is sent twice.
	id func(*T) string
	// top is the page size that was asked for, 0 if none.
	top int
	// streams says that rows are decoded while their page comes: for pages of any
	// size, whose rows keep nothing of the body.
	streams bool
	// endsInBadRequest is set for riskyUsers: when its last page is full, the
	// next link that it carries answers 400 with an empty message
	// (graph-api §1.3).
	endsInBadRequest bool
}

// walk is one reading of a collection.
type walk[T any] struct {
	client  *Client
	of      collection[T]
	seed    maphash.Seed
	links   map[uint64]struct{} // that were followed
	seen    map[uint64]struct{} // pages by their ids
	intern  *interner
	pages   int
	empty   int
	full    bool // the page before held as many items as were asked for
	request request
}

// pages reads a collection page by page. The page after the one that the
// consumer works on is asked for meanwhile, so that the network is not idle;
// leaving the loop cancels it. The sequence ends in an error or cleanly.
func pages[T any](ctx context.Context, c *Client, of collection[T]) iter.Seq2[entra.Page[T], error] {
	return func(yield func(entra.Page[T], error) bool) {
		seed := maphash.MakeSeed()
		w := &walk[T]{client: c, of: of, seed: seed, links: map[uint64]struct{}{}, seen: map[uint64]struct{}{},
			intern: newInterner(), request: of.first}
		if of.first.link != "" {
			w.links[maphash.String(seed, of.first.link)] = struct{}{}
		}
		page, err := w.next(ctx)
		if err != nil || page.Next == "" {
			if err != nil {
				page = entra.Page[T]{}
			}
			yield(page, err)
			return
		}
		type result struct {
			page entra.Page[T]
			err  error
		}
		fetch, cancel := context.WithCancel(ctx)
		results := make(chan result)
		defer func() {
			cancel()
			for range results { // until the fetcher has gone
			}
		}()
		go func() {
			defer close(results)
			for {
				p, err := w.next(fetch)
				if err != nil {
					p = entra.Page[T]{}
				}
				select {
				case results <- result{p, err}:
				case <-fetch.Done():
					return
				}
				if err != nil || p.Next == "" {
					return
				}
			}
		}()
		for {
			if !yield(page, nil) || page.Next == "" {
				return
			}
			r, ok := <-results
			switch {
			case !ok:
				yield(entra.Page[T]{}, fmt.Errorf("reading a page: %w", context.Cause(fetch)))
				return
			case r.err != nil:
				yield(entra.Page[T]{}, r.err)
				return
			}
			page = r.page
		}
	}
}

// next reads one page and checks that it is one the collection can have.
func (w *walk[T]) next(ctx context.Context) (entra.Page[T], error) {
	w.pages++
	if w.pages > w.client.maxPages {
		return entra.Page[T]{}, fmt.Errorf("more than %d pages: %w", w.client.maxPages, entra.ErrMalformed)
	}
	var page entra.Page[T]
	var link, print uint64
	r := w.request
	take := func(items []T, next string, err error) error {
		if err != nil {
			return err
		}
		size := len(items)
		if next != "" {
			if err := w.client.follow(next); err != nil {
				return err
			}
			link = maphash.String(w.seed, next)
			if _, again := w.links[link]; again {
				return fmt.Errorf("a next link that was followed before: %w", entra.ErrMalformed)
			}
		}
		print = 0
		if len(items) > 0 {
			if print, err = w.fingerprint(items); err != nil {
				return err
			}
			if _, again := w.seen[print]; again {
				items = nil
			}
		}
		if next != "" && len(items) == 0 && w.empty+1 >= maxEmptyPages {
			return fmt.Errorf("%d pages in a row without new items: %w", maxEmptyPages, entra.ErrMalformed)
		}
		w.full = next != "" && w.of.top > 0 && size >= w.of.top
		page = entra.Page[T]{Items: items, Next: next}
		return nil
	}
	if w.of.streams {
		r.stream = func(in io.Reader) error { return take(decodeRows(newRowStream(in, w.intern), w.of.row)) }
	} else {
		r.check = func(a *answer) error { return take(decodePage(a.body, w.intern, w.of.row)) }
	}
	if _, err := w.client.do(ctx, r); err != nil {
		if w.of.endsInBadRequest && w.full && isEmptyBadRequest(err) {
			return entra.Page[T]{}, nil
		}
		return entra.Page[T]{}, err
	}
	if len(page.Items) == 0 {
		w.empty++
	} else {
		w.empty = 0
		w.seen[print] = struct{}{}
	}
	if page.Next != "" {
		w.links[link] = struct{}{}
	}
	// A next link is followed by GET, whatever the first page was asked with.
	w.request = request{method: abs.GET, link: page.Next, safe: true}
	return page, nil
}

// fingerprint hashes the ids of a page. An item without an id is not one.
func (w *walk[T]) fingerprint(items []T) (uint64, error) {
	var h maphash.Hash
	h.SetSeed(w.seed)
	for i := range items {
		id := w.of.id(&items[i])
		if id == "" {
			return 0, fmt.Errorf("value[%d]: no id: %w", i, entra.ErrMalformed)
		}
		_, _ = h.WriteString(id)
		_ = h.WriteByte(0)
	}
	return h.Sum64(), nil
}

// isEmptyBadRequest recognises the answer of graph-api §1.3.
func isEmptyBadRequest(err error) bool {
	e, ok := asError(err)
	return ok && e.Status == http.StatusBadRequest && e.Code == "BadRequest" && e.Message == ""
}

// follow checks a next link: absolute, and below the version of the service
// that sent it.
func (c *Client) follow(link string) error {
	u, err := url.Parse(link)
	if err != nil || !u.IsAbs() || u.Fragment != "" {
		return fmt.Errorf("a next link that is no absolute URL: %w", entra.ErrMalformed)
	}
	if err := c.within(u); err != nil {
		return fmt.Errorf("a next link: %w", err)
	}
	return nil
}

// all reads a whole collection. An item that came on two pages, because others
// came or went meanwhile, is there once, as it came last.
func all[T any](ctx context.Context, c *Client, of collection[T]) ([]T, error) {
	var items []T
	place := map[string]int{}
	for page, err := range pages(ctx, c, of) {
		if err != nil {
			return nil, err
		}
		for i := range page.Items {
			id := of.id(&page.Items[i])
			if at, again := place[id]; again {
				items[at] = page.Items[i]
				continue
			}
			place[id] = len(items)
			items = append(items, page.Items[i])
		}
	}
	return items, nil
}

// from is where a collection begins: at a stored next link if there is one.
func (c *Client) from(r request, resume string) (request, error) {
	if resume == "" {
		return r, nil
	}
	if err := c.follow(resume); err != nil {
		return r, fmt.Errorf("resuming: %w", err)
	}
	return request{method: r.method, link: resume, safe: true}, nil
}

// failed is a sequence that is nothing but an error.
func failed[T any](err error) iter.Seq2[entra.Page[T], error] {
	return func(yield func(entra.Page[T], error) bool) { yield(entra.Page[T]{}, err) }
}
