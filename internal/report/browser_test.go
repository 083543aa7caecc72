package report

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	_ "image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// tab is a page in a headless browser.
type tab struct {
	testing.TB
	ctx context.Context
	// complaints are what the browser said about the page: errors of its
	// script, what its policy forbade.
	complaints []string
}

// openTab starts a browser of its own, without network.
func openTab(t testing.TB) *tab {
	t.Helper()
	exe := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			exe = p
			break
		}
	}
	if exe == "" {
		t.Fatal("a browser is needed: apt-get install chromium (./check does it)")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(exe), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &tab{TB: t, ctx: ctx}
	b.do(chromedp.Navigate("about:blank")) // the context that comes first is the browser's
	return b
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.Fatal(err)
	}
}

// show lays a page out in a window of some size.
func (b *tab) show(page string, width, height int64) {
	b.Helper()
	file := filepath.Join(b.TempDir(), "report.html")
	if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
		b.Fatal(err)
	}
	b.do(chromedp.EmulateViewport(width, height))
	b.visit("file://" + file)
}

// visit goes to an address and gathers what the browser complains of.
func (b *tab) visit(url string) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.ctx)
	messages := chromedp.Console(ctx)
	b.do(chromedp.Navigate(url))
	said := make(chan []string)
	go func() {
		var out []string
		for m, err := range messages {
			if err != nil || m.Text == "the end" {
				break
			}
			out = append(out, m.String())
		}
		said <- out
	}()
	b.do(chromedp.Evaluate[chromedp.Void](`console.log("the end")`))
	b.complaints = <-said
	cancel()
}

// eval evaluates an expression within the page.
func eval[T any](b *tab, js string) T {
	b.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](js))
	if err != nil {
		b.Fatalf("%s: %v", js, err)
	}
	return v
}

func (b *tab) is(js string, want any) {
	b.Helper()
	if got := eval[any](b, js); fmt.Sprint(got) != fmt.Sprint(want) {
		b.Errorf("%s is %v, want %v", js, got, want)
	}
}

const shownRows = `.filter(r => r.checkVisibility()).length`

// A person sorts, searches, unfolds and follows links, with the keyboard alone;
// the page's own policy lets its script run and nothing complains.
func TestThePageInABrowser(t *testing.T) {
	t.Parallel()
	b := openTab(t)
	b.show(html(t, 60, "Ada <Lovelace>"), 1280, 900)
	if len(b.complaints) > 0 {
		t.Errorf("the browser complains: %q", b.complaints)
	}
	b.is(`document.documentElement.className`, "js")

	// Levels sort by rank, not by letter.
	key := func(selector, keys string) {
		t.Helper()
		b.do(chromedp.Focus(selector), chromedp.KeyEvent(keys))
	}
	first := func(cell int) string {
		return fmt.Sprintf(`document.querySelector("#decided tbody tr").cells[%d].textContent`, cell)
	}
	level := `#decided thead th:nth-child(2) button`
	key(level, kb.Enter)
	b.is(`document.querySelector("#decided thead th:nth-child(2)").getAttribute("aria-sort")`, "descending")
	b.is(first(1), "high")
	key(level, kb.Enter)
	b.is(first(1), "low")
	key(`#decided thead th:nth-child(5) button`, " ")
	b.is(`document.querySelector("#decided tbody tr").cells[4].dataset.v`, "59")
	b.is(`document.querySelector("#decided thead th:nth-child(2)").getAttribute("aria-sort")`, "none")
	key(`#decided thead th:nth-child(1) button`, kb.Enter)
	b.is(first(0), "Ada <Lovelace>")

	// A search among the decisions, a choice beside it.
	b.do(chromedp.SendKeys(`[data-for=decided] input`, "id-00007"))
	b.do(waitFor(`document.querySelector("[data-for=decided] .shown").textContent === "1 of 60 shown"`))
	b.is(`[...document.querySelectorAll("#decided tbody tr")]`+shownRows, 1)
	// A link to a user who is filtered away brings the decision back, open.
	key(`#waiting tbody a`, kb.Enter)
	b.do(waitFor(`document.querySelector("#decided details[open]") !== null`))
	b.is(`document.activeElement.id === decodeURIComponent(location.hash.slice(1))`, true)
	b.is(`[...document.querySelectorAll("#decided tbody tr")]`+shownRows, 60)
	eval[any](b, `(s => { s.value = "overdue"; s.dispatchEvent(new Event("change")) })(document.querySelector("[data-by=verdict]"))`)
	b.is(`[...document.querySelectorAll("#decided tbody tr:not([hidden])")].every(r => r.dataset.is === "person overdue")`, true)

	// The table of those who wait is folded until somebody unfolds it.
	b.is(`[...document.querySelectorAll("#waiting tbody tr")]`+shownRows, 15)
	key(`#waiting + .unfold`, kb.Enter)
	b.is(`[...document.querySelectorAll("#waiting tbody tr")]`+shownRows, 30)
	b.is(`document.querySelector("#waiting + .unfold").getAttribute("aria-expanded")`, "true")
}

// waitFor asks until an expression is true: the page's policy lets no poll of
// the browser's own run.
func waitFor(js string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
		defer cancel()
		for {
			if ok, err := chromedp.Evaluate[bool](js)(ctx, t); ok || err != nil {
				return chromedp.Void{}, err
			}
			if _, err := chromedp.Sleep(20*time.Millisecond)(ctx, t); err != nil {
				return chromedp.Void{}, fmt.Errorf("%s: %w", js, err)
			}
		}
	}
}

// What a screen reader is told: landmarks, headings, tables with heads, names
// of all that can be used and of every picture.
func TestThePageIsAccessible(t *testing.T) {
	t.Parallel()
	for _, width := range []int64{1280, 390} {
		b := openTab(t)
		b.show(html(t, 40, "Ada"), width, 900)
		tree, err := chromedp.Call(b.ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
		if err != nil {
			t.Fatal(err)
		}
		roles := map[string]int{}
		for _, n := range tree.Nodes {
			if n.Ignored {
				continue
			}
			role, name := axText(n.Role), axText(n.Name)
			roles[role]++
			switch role {
			case "button", "link", "searchbox", "combobox", "image", "img", "table", "columnheader", "rowheader", "region", "navigation", "search", "heading":
				if name == "" {
					t.Errorf("%d px: a %s without a name", width, role)
				}
			}
		}
		for role, n := range map[string]int{"banner": 1, "main": 1, "contentinfo": 1, "navigation": 1, "searchbox": 2, "columnheader": 17, "image": 4} {
			if roles[role] < n {
				t.Errorf("%d px: %d of role %s, want %d: %v", width, roles[role], role, n, roles)
			}
		}
		b.is(`document.documentElement.scrollWidth <= innerWidth`, true)
		b.is(`document.querySelectorAll("th:not([scope])").length`, 0)
	}
}

func axText(v *accessibility.Value) string {
	if v == nil {
		return ""
	}
	var s string
	if json.Unmarshal(v.Value, &s) != nil {
		return string(v.Value)
	}
	return s
}

// Ten thousand users are in the page, but only what is looked at is laid out,
// after sorting and filtering as well.
func TestTenThousandUsers(t *testing.T) {
	t.Parallel()
	b := openTab(t)
	b.show(html(t, 10_000, "Ada"), 1280, 900)
	const laidOut = `[...document.querySelectorAll("#decided tbody")].filter(x => x.rows[0].checkVisibility({contentVisibilityAuto: true})).length`
	b.is(`document.querySelectorAll("#decided tbody").length`, 100)
	b.is(laidOut, 0)
	eval[any](b, `document.querySelector("#decided thead button").click()`)
	b.is(`document.querySelectorAll("#decided tbody").length`, 100)
	eval[any](b, `document.getElementById("decisions").scrollIntoView()`)
	b.do(waitFor(laidOut + ` > 0`))
	if n := eval[int](b, laidOut); n > 5 {
		t.Errorf("%d hundreds of rows are laid out for one window", n)
	}
	eval[any](b, `(s => { s.value = "person"; s.dispatchEvent(new Event("change")) })(document.querySelector("[data-by=verdict]"))`)
	b.is(`document.querySelector("[data-for=decided] .shown").textContent`, "5000 of 10000 shown")
	b.is(`[...document.querySelectorAll("#waiting tbody tr")]`+shownRows, 15)
}

// What a choice costs among ten thousand users, from the change to the new
// layout: 100 ms is what a person does not notice yet.
func BenchmarkFilterTenThousandUsers(b *testing.B) {
	t := openTab(b)
	t.show(html(b, 10_000, "Ada"), 1280, 900)
	eval[any](t, `document.getElementById("decisions").scrollIntoView()`)
	for _, pick := range []string{"[data-for=decided] [data-by=verdict]", "[data-for=decided] [data-by=level]", "[data-for=waiting] [data-by=level]"} {
		b.Run(pick, func(b *testing.B) {
			took, n := 0.0, 0
			for ; b.Loop(); n++ {
				value := []string{"high", "person", "low", ""}[n%4]
				took += eval[float64](t, `(s => { const at = performance.now(); s.value = "`+value+`"; s.dispatchEvent(new Event("change")); document.body.offsetHeight; return performance.now() - at })(document.querySelector("`+pick+`"))`)
			}
			b.ReportMetric(took/float64(n), "ms/choice")
		})
	}
}

// Served by the HTTP API, the page is in a sandbox that lets its script run;
// where no script may run at all, nothing is hidden.
func TestThePageInASandbox(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../httpapi/routes.go")
	if err != nil {
		t.Fatal(err)
	}
	policy := regexp.MustCompile(`"Content-Security-Policy", "(sandbox [^"]+)"`).FindSubmatch(source)
	if policy == nil {
		t.Fatal("the HTTP API serves files without a sandbox")
	}
	page := html(t, 40, "Ada")
	for _, test := range []struct {
		policy, class string
		rows          int
	}{{string(policy[1]), "js", 15}, {"sandbox; default-src 'none'; style-src 'unsafe-inline'", "", 20}} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Security-Policy", test.policy)
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprint(w, page)
		}))
		defer server.Close()
		b := openTab(t)
		b.visit(server.URL + "/report.html")
		b.is(`document.documentElement.className`, test.class)
		b.is(`[...document.querySelectorAll("#waiting tbody tr")]`+shownRows, test.rows)
		b.is(`[...document.querySelectorAll(".tools")]`+shownRows, map[bool]int{true: 2, false: 0}[test.class == "js"])
		b.is(`getComputedStyle(document.querySelector(".tiles")).display`, "grid")
	}
}

// The page follows the reader's setting, the window and the paper. Its pictures
// are kept with go test -artifacts.
func TestThePageInLightDarkNarrowAndPrint(t *testing.T) {
	t.Parallel()
	b := openTab(t)
	page := html(t, 60, "Ada")
	grounds := map[string]string{}
	for _, view := range []struct {
		name, scheme, media string
		width, height       int64
	}{{"light", "light", "", 1280, 1600}, {"dark", "dark", "", 1280, 1600}, {"narrow", "light", "", 390, 1600}, {"narrow dark", "dark", "", 420, 1600}, {"print", "dark", "print", 720, 1100}} {
		_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: view.media,
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: view.scheme}}})
		if err != nil {
			t.Fatal(err)
		}
		b.show(page, view.width, view.height)
		grounds[view.name] = eval[string](b, `getComputedStyle(document.body).backgroundColor`)
		b.is(`document.documentElement.scrollWidth <= innerWidth`, true)
		picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(t.ArtifactDir(), view.name+".png"), picture, 0o644); err != nil {
			t.Fatal(err)
		}
		if n := colours(t, picture); n < 20 {
			t.Errorf("%s: %d colours: nothing is drawn", view.name, n)
		}
		// A chart is drawn in the page's colours.
		b.is(`getComputedStyle(document.querySelector(".draw .c-high")).fill !== "rgb(0, 0, 0)"`, true)
	}
	if grounds["light"] != "rgb(255, 255, 255)" || grounds["print"] != "rgb(255, 255, 255)" || grounds["dark"] == grounds["light"] {
		t.Errorf("grounds: %v", grounds)
	}
	// Printed, the heads of tables are repeated, and what differs is not folded.
	b.is(`getComputedStyle(document.querySelector("#decided thead")).display`, "table-header-group")
	b.is(`document.querySelector(".drift").open = false`, false)
	b.is(`document.querySelector(".drift li").checkVisibility({contentVisibilityAuto: true}) && document.querySelector(".drift li").offsetHeight > 0`, true)
	pdf, err := chromedp.Run(b.ctx, chromedp.PrintToPDF())
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(pdf, []byte("/Type /Page\n")); n < 3 {
		t.Errorf("60 users print on %d pages", n)
	}
}

// colours counts the colours of a picture.
func colours(t *testing.T, data []byte) int {
	t.Helper()
	img, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[[3]uint32]bool{}
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y += 2 {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x += 2 {
			r, g, b, _ := img.At(x, y).RGBA()
			seen[[3]uint32{r, g, b}] = true
		}
	}
	return len(seen)
}

// A hostile name runs nothing in a browser either, and stays in its place.
func TestHostileNamesInABrowser(t *testing.T) {
	t.Parallel()
	b := openTab(t)
	for _, name := range []string{`<script>document.title="taken"</script>`, `"><img src=x onerror='document.title="taken"'>`, `javascript:document.title="taken"`,
		"mallory\u202egnp.exe", strings.Repeat("long", 500), strings.Repeat("ل", 300)} {
		b.show(html(t, 3, name), 1000, 800)
		if len(b.complaints) > 0 {
			t.Errorf("%.40q: the browser complains: %q", name, b.complaints)
		}
		b.is(`document.title.includes("taken")`, false)
		b.is(`document.documentElement.scrollWidth <= innerWidth`, true)
		b.is(`document.querySelector("#decided tbody th").textContent.length > 10`, true)
	}
}

// How long a browser takes to load, sort and filter ten thousand users.
func BenchmarkBrowser(bench *testing.B) {
	page := html(bench, 10_000, "Ada")
	b := openTab(bench)
	var load, sort, filter float64
	for bench.Loop() {
		b.show(page, 1280, 900)
		load += eval[float64](b, `performance.getEntriesByType("navigation")[0].loadEventEnd`)
		// To the next frame: what a person waits for.
		const took = `(async () => { const at = performance.now(); %s; await new Promise(r => requestAnimationFrame(() => setTimeout(r))); return performance.now() - at })()`
		wait := func(js string) float64 {
			v, err := chromedp.Run(b.ctx, chromedp.Evaluate[float64](fmt.Sprintf(took, js), chromedp.EvalAwaitPromise))
			if err != nil {
				bench.Fatal(err)
			}
			return v
		}
		sort += wait(`document.querySelectorAll("#decided thead button")[4].click()`)
		filter += wait(`(s => { s.value = "person"; s.dispatchEvent(new Event("change")) })(document.querySelector("[data-by=verdict]"))`)
	}
	n := float64(bench.N)
	bench.ReportMetric(load/n, "load-ms")
	bench.ReportMetric(sort/n, "sort-ms")
	bench.ReportMetric(filter/n, "filter-ms")
	bench.ReportMetric(float64(len(page))/1e6, "MB")
}
