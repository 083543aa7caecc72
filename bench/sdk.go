package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/microsoft/kiota-abstractions-go/serialization"
	auth "github.com/microsoft/kiota-authentication-azure-go"
	jsonformat "github.com/microsoft/kiota-serialization-json-go"
	core "github.com/microsoftgraph/msgraph-sdk-go-core"
	"github.com/microsoftgraph/msgraph-sdk-go/identityprotection"
	"github.com/microsoftgraph/msgraph-sdk-go/models"

	"github.com/risksweep/risksweep/internal/report"
)

// iterate is what the same files cost with the SDK's typed client and its page
// iterator: it reads all detections and risky users and writes them as JSON
// Lines and CSV. It decides nothing, and writes no report, plan or manifest.
func iterate(t task) (m measured) {
	dir, err := os.MkdirTemp("", "bench")
	check(err)
	defer os.RemoveAll(dir)
	return t.iterate(dir)
}

func (t task) iterate(dir string) (m measured) {
	adapter := stock(t.service)
	protection := identityprotection.NewIdentityProtectionRequestBuilderInternal(map[string]string{}, adapter)
	ctx, top := context.Background(), int32(500)
	detections, users := 0, 0
	m = taking(func() {
		files := newPair(dir, "detections", report.DetectionColumns)
		first, err := protection.RiskDetections().Get(ctx, &identityprotection.RiskDetectionsRequestBuilderGetRequestConfiguration{
			QueryParameters: &identityprotection.RiskDetectionsRequestBuilderGetQueryParameters{Top: &top}})
		check(err)
		pages, err := core.NewPageIterator[models.RiskDetectionable](first, adapter, models.CreateRiskDetectionCollectionResponseFromDiscriminatorValue)
		check(err)
		check(pages.Iterate(ctx, func(d models.RiskDetectionable) bool {
			detections++
			files.write(d, detectionCells(d))
			return true
		}))
		files.close()

		files = newPair(dir, "users", report.UserColumns)
		firstUsers, err := protection.RiskyUsers().Get(ctx, &identityprotection.RiskyUsersRequestBuilderGetRequestConfiguration{
			QueryParameters: &identityprotection.RiskyUsersRequestBuilderGetQueryParameters{Top: &top}})
		check(err)
		userPages, err := core.NewPageIterator[models.RiskyUserable](firstUsers, adapter, models.CreateRiskyUserCollectionResponseFromDiscriminatorValue)
		check(err)
		check(userPages.Iterate(ctx, func(u models.RiskyUserable) bool {
			users++
			files.write(u, userCells(u))
			return true
		}))
		files.close()
	})
	expect("detections", detections, t.detections)
	expect("users", users, t.detections/usersEach)
	m.Peak = peak()
	return m
}

// stock is the SDK's own adapter with all of its middleware.
func stock(service string) *core.GraphRequestAdapterBase {
	root, err := url.Parse(service)
	check(err)
	provider, err := auth.NewAzureIdentityAuthenticationProviderWithScopesAndValidHosts(credential{}, []string{"https://graph.microsoft.com/.default"}, []string{root.Hostname()})
	check(err)
	parsers := serialization.NewParseNodeFactoryRegistry()
	parsers.ContentTypeAssociatedFactories["application/json"] = jsonformat.NewJsonParseNodeFactory()
	writers := serialization.NewSerializationWriterFactoryRegistry()
	writers.ContentTypeAssociatedFactories["application/json"] = jsonformat.NewJsonSerializationWriterFactory()
	adapter, err := core.NewGraphRequestAdapterBaseWithParseNodeFactoryAndSerializationWriterFactory(provider, core.GraphClientOptions{}, parsers, writers)
	check(err)
	adapter.SetBaseUrl(service)
	return adapter
}

// pair is a JSON Lines file and a CSV file of the same rows.
type pair struct {
	files []io.Closer
	jsonl *bufio.Writer
	csv   *csv.Writer
}

func newPair(dir, name string, columns []string) *pair {
	p := &pair{}
	create := func(end string) io.Writer {
		f, err := os.Create(filepath.Join(dir, name+end))
		check(err)
		p.files = append(p.files, f)
		return f
	}
	p.jsonl, p.csv = bufio.NewWriterSize(create(".jsonl"), 32<<10), csv.NewWriter(create(".csv"))
	p.csv.UseCRLF = true
	check(p.csv.Write(columns))
	return p
}

func (p *pair) write(row serialization.Parsable, cells []string) {
	w := jsonformat.NewJsonSerializationWriter()
	check(w.WriteObjectValue("", row))
	line, err := w.GetSerializedContent()
	check(err)
	_, err = p.jsonl.Write(append(line, '\n'))
	check(err)
	check(w.Close())
	check(p.csv.Write(cells))
}

func (p *pair) close() {
	check(p.jsonl.Flush())
	p.csv.Flush()
	check(p.csv.Error())
	for _, f := range p.files {
		check(f.Close())
	}
}

func detectionCells(d models.RiskDetectionable) []string {
	var city, state, country, latitude, longitude string
	if l := d.GetLocation(); l != nil {
		city, state, country = text(l.GetCity()), text(l.GetState()), text(l.GetCountryOrRegion())
		if g := l.GetGeoCoordinates(); g != nil {
			latitude, longitude = number(g.GetLatitude()), number(g.GetLongitude())
		}
	}
	return []string{text(d.GetId()), at(d.GetDetectedDateTime()), at(d.GetActivityDateTime()), at(d.GetLastUpdatedDateTime()), text(d.GetUserId()),
		text(d.GetUserPrincipalName()), text(d.GetUserDisplayName()), text(d.GetRiskEventType()), word(d.GetRiskLevel()), word(d.GetRiskState()),
		word(d.GetRiskDetail()), text(d.GetIpAddress()), city, state, country, latitude, longitude, word(d.GetActivity()), word(d.GetDetectionTimingType()),
		text(d.GetSource()), word(d.GetTokenIssuerType()), text(d.GetCorrelationId()), text(d.GetRequestId()), text(d.GetAdditionalInfo())}
}

// userCells leaves empty what triage would have said.
func userCells(u models.RiskyUserable) []string {
	cells := make([]string, len(report.UserColumns))
	copy(cells, []string{text(u.GetId()), text(u.GetUserPrincipalName()), text(u.GetUserDisplayName()), word(u.GetRiskLevel()), word(u.GetRiskState()),
		word(u.GetRiskDetail()), at(u.GetRiskLastUpdatedDateTime()), truth(u.GetIsDeleted()), truth(u.GetIsProcessing())})
	return cells
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func word[T fmt.Stringer](v *T) string {
	if v == nil {
		return ""
	}
	return (*v).String()
}

func at(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}

func number(f *float64) string {
	if f == nil {
		return ""
	}
	return strconv.FormatFloat(*f, 'f', -1, 64)
}

func truth(b *bool) string {
	if b == nil {
		return ""
	}
	return strconv.FormatBool(*b)
}
