package functions

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// DefaultTimeout is the functionTimeout that is assumed where none can be
// read: the longest that every plan allows.
const DefaultTimeout = 10 * time.Minute

// The variables of the host that the handler reads.
const (
	EnvPort    = "FUNCTIONS_CUSTOMHANDLER_PORT"
	envTimeout = "AzureFunctionsJobHost__functionTimeout"
)

// Port is the port that the host expects the handler on.
func Port(env func(string) (string, bool)) (int, error) {
	text, ok := env(EnvPort)
	if !ok {
		return 0, fmt.Errorf("%s is not set: the Functions host starts this command (locally: func start)", EnvPort)
	}
	port, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || port < 0 || port > 65535 {
		return 0, fmt.Errorf("%s is %q, not a port", EnvPort, text)
	}
	return port, nil
}

// Timeout is the host's functionTimeout: its own setting, else that of the
// app's host.json, else DefaultTimeout. 0 means that there is none.
func Timeout(env func(string) (string, bool)) (time.Duration, error) {
	if text, ok := env(envTimeout); ok && text != "" {
		d, err := parseTimeSpan(text)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", envTimeout, err)
		}
		return d, nil
	}
	root := "."
	for _, name := range []string{"FUNCTIONS_APP_ROOT_PATH", "AzureWebJobsScriptRoot"} {
		if dir, ok := env(name); ok && dir != "" {
			root = dir
			break
		}
	}
	data, err := os.ReadFile(filepath.Join(root, "host.json"))
	if os.IsNotExist(err) {
		return DefaultTimeout, nil
	}
	if err != nil {
		return 0, err
	}
	var host struct {
		FunctionTimeout string `json:"functionTimeout"`
	}
	if err := json.Unmarshal(data, &host); err != nil {
		return 0, fmt.Errorf("host.json: %w", err)
	}
	if host.FunctionTimeout == "" {
		return DefaultTimeout, nil
	}
	d, err := parseTimeSpan(host.FunctionTimeout)
	if err != nil {
		return 0, fmt.Errorf("host.json: functionTimeout: %w", err)
	}
	return d, nil
}

// timeSpan is how .NET writes a duration: [days.]hours:minutes[:seconds].
var timeSpan = regexp.MustCompile(`^(?:(\d{1,4})\.)?(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.\d{1,7})?)?$`)

// parseTimeSpan reads a .NET duration; -1 is none, given as 0. As .NET has it,
// 24:00:00 is 24 days.
func parseTimeSpan(text string) (time.Duration, error) {
	text = strings.TrimSpace(text)
	if text == "-1" {
		return 0, nil
	}
	m := timeSpan.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("%q is no duration such as 00:10:00", text)
	}
	var n [4]int
	for i, s := range m[1:] {
		if s == "" {
			continue
		}
		v, err := strconv.Atoi(s)
		if err != nil {
			return 0, fmt.Errorf("%q is no duration such as 00:10:00", text)
		}
		n[i] = v
	}
	days, hours, minutes, seconds := n[0], n[1], n[2], n[3]
	if days == 0 && hours >= 24 {
		days, hours, minutes, seconds = hours, minutes, seconds, 0
	}
	if hours > 23 || minutes > 59 || seconds > 59 {
		return 0, fmt.Errorf("%q is no duration such as 00:10:00", text)
	}
	d := time.Duration(days)*24*time.Hour + time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute + time.Duration(seconds)*time.Second
	if d == 0 {
		return 0, fmt.Errorf("%q leaves no time", text)
	}
	return d, nil
}
