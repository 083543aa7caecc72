package policy

// canonicalPolicy applies what the service makes of a policy as a whole, on a
// document whose members are canonical already.
func canonicalPolicy(d map[string]any) {
	if s := child(d, "sessionControls"); s != nil {
		canonicalSession(s)
		if len(s) == 0 {
			delete(d, "sessionControls")
		}
	}
	if g := child(d, "grantControls"); g != nil {
		switch controls(g) {
		case 0:
			// An operator alone grants nothing; unknown members stay.
			if delete(g, "operator"); len(g) == 0 {
				delete(d, "grantControls")
			}
		case 1:
			// One control: the service stores OR whatever it was sent.
			g["operator"] = "OR"
		}
	}
	conditions := child(d, "conditions")
	if conditions == nil {
		conditions = map[string]any{}
		d["conditions"] = conditions
	}
	if conditions["clientAppTypes"] == nil {
		conditions["clientAppTypes"] = []any{"all"}
	}
	if users := child(conditions, "users"); users != nil {
		for _, name := range []string{"includeGuestsOrExternalUsers", "excludeGuestsOrExternalUsers"} {
			dropUnless(users, name, "guestOrExternalUserTypes")
		}
		if len(users) == 0 {
			delete(conditions, "users")
		}
	}
}

// canonicalSession drops the controls that are without effect, and the members
// of those left that have none.
func canonicalSession(s map[string]any) {
	if s["disableResilienceDefaults"] == false {
		delete(s, "disableResilienceDefaults")
	}
	for _, name := range []string{"applicationEnforcedRestrictions", "cloudAppSecurity", "persistentBrowser", "secureSignInSession", "signInFrequency"} {
		if c := child(s, name); c != nil && c["isEnabled"] != true {
			delete(s, name)
		}
	}
	if f := child(s, "signInFrequency"); f != nil && f["frequencyInterval"] == "everyTime" {
		delete(f, "type")
		delete(f, "value")
	}
}

// controls counts what a grant demands.
func controls(g map[string]any) int {
	n := 0
	for _, name := range []string{"builtInControls", "customAuthenticationFactors", "termsOfUse"} {
		items, _ := g[name].([]any)
		n += len(items)
	}
	if child(g, "authenticationStrength") != nil {
		n++
	}
	return n
}

// dropUnless removes an object that lacks the member that gives it a meaning.
func dropUnless(d map[string]any, name, needs string) {
	if c := child(d, name); c != nil && c[needs] == nil {
		delete(d, name)
	}
}

func child(d map[string]any, name string) map[string]any {
	c, _ := d[name].(map[string]any)
	return c
}
