package entra

// SignedIn is an identity as its access token names it.
type SignedIn struct {
	Kind  string `json:"kind"` // app or user
	ID    string `json:"id,omitempty"`
	AppID string `json:"appId,omitempty"`
	Name  string `json:"name,omitempty"` // of the application, or the person's userPrincipalName
}

// The kinds of an identity that is signed in.
const (
	SignedInApp  = "app"
	SignedInUser = "user"
)

// String names the identity in a few words.
func (s *SignedIn) String() string {
	switch {
	case s == nil:
		return ""
	case s.Name != "":
		return s.Name
	case s.AppID != "" && s.Kind == SignedInApp:
		return "application " + s.AppID
	}
	return s.Kind + " " + s.ID
}
