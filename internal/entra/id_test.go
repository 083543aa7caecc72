package entra

import (
	"encoding/json"
	"testing"
)

func TestIDsAreFoldedWhereTheyEnter(t *testing.T) {
	const want ID = "0a1b2c3d-0000-4000-8000-00000000abcd"
	for _, text := range []string{"0A1B2C3D-0000-4000-8000-00000000ABCD", " 0a1b2c3d-0000-4000-8000-00000000abcd\n", string(want)} {
		if got := NewID(text); got != want {
			t.Errorf("NewID(%q) is %q", text, got)
		}
		in, err := json.Marshal(map[string]any{"one": text, "keys": map[string]bool{text: true}, "list": []string{text}, "none": nil})
		if err != nil {
			t.Fatal(err)
		}
		var out struct {
			One, None ID
			Keys      map[ID]bool
			List      []ID
		}
		if err := json.Unmarshal(in, &out); err != nil || out.One != want || out.None != "" || !out.Keys[want] || len(out.List) != 1 || out.List[0] != want {
			t.Errorf("%s is %+v, %v", in, out, err)
		}
	}
	if d := (Document{"id": "ABC"}); d.ID() != "abc" {
		t.Errorf("a document's id is %q", d.ID())
	}
}
