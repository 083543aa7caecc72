package body

import (
	"encoding/json"
	"testing"
)

func TestMembersKeepTheirOrder(t *testing.T) {
	t.Parallel()
	inner := (&Object{}).Set("z", 1).Set("a", []string{"<b>"})
	o := (&Object{}).Set("value", inner).Set("@odata.nextLink", "x?a=1&b=2").Set("id", nil)
	got, err := o.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"value":{"z":1,"a":["<b>"]},"@odata.nextLink":"x?a=1&b=2","id":null}`; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if empty, err := json.Marshal(Object{}); err != nil || string(empty) != "{}" {
		t.Errorf("the empty object is %s, %v", empty, err)
	}
	if _, err := json.Marshal((&Object{}).Set("f", func() {})); err == nil {
		t.Error("a function was written")
	}
}
