package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"time"
)

// detections and users are what a program that knows what it wants unmarshals
// the pages into.
type detections struct {
	Next  string `json:"@odata.nextLink"`
	Value []struct {
		ID, Activity, ActivityDateTime, AdditionalInfo, CorrelationID, DetectedDateTime, DetectionTimingType, IPAddress, LastUpdatedDateTime *string
		RequestID, RiskDetail, RiskEventType, RiskLevel, RiskState, Source, TokenIssuerType, UserDisplayName, UserID, UserPrincipalName      *string
		Location                                                                                                                             *struct {
			City, State, CountryOrRegion *string
			GeoCoordinates               *struct{ Altitude, Latitude, Longitude *float64 }
		}
	}
}

type users struct {
	Next  string `json:"@odata.nextLink"`
	Value []struct {
		ID, RiskLevel, RiskState, RiskDetail, RiskLastUpdatedDateTime, UserDisplayName, UserPrincipalName *string
		IsDeleted, IsProcessing                                                                           *bool
	}
}

// decode is the floor of a sweep: it unmarshals the same pages with
// encoding/json. Reading them off the network is not counted.
func decode(t task) measured { return t.decode("", t.detections) }

// decodeOpen is the floor of a night without a change: the pages of what is
// open.
func decodeOpen(t task) measured {
	tomorrow := time.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339)
	filter := "(riskState ne 'dismissed') or lastUpdatedDateTime ge " + tomorrow
	return t.decode("&$filter="+url.QueryEscape(filter), t.detections/usersEach)
}

func (t task) decode(query string, n int) (m measured) {
	rows := 0
	for link := t.service + "/identityProtection/riskDetections?$top=500" + query; link != ""; {
		var p detections
		m.add(unmarshal(link, &p))
		rows += len(p.Value)
		link = p.Next
	}
	expect("detections", rows, n)
	rows = 0
	for link := t.service + "/identityProtection/riskyUsers?$top=500" + query; link != ""; {
		var p users
		m.add(unmarshal(link, &p))
		rows += len(p.Value)
		link = p.Next
	}
	expect("users", rows, t.detections/usersEach)
	return m
}

func (m *measured) add(other measured) {
	m.CPU += other.CPU
	m.Allocs += other.Allocs
	m.Requests += other.Requests
}

// unmarshal fetches a page and measures its decoding.
func unmarshal(link string, into any) measured {
	res, err := http.Get(link)
	check(err)
	data, err := io.ReadAll(res.Body)
	check(err)
	check(res.Body.Close())
	m := taking(func() { check(json.Unmarshal(data, into)) })
	m.Requests = 1
	return m
}
