package service

import (
	"encoding/base64"
	"net/http"
)

// Access is what entitles an anonymous request: the recipient's access key (16 bytes, zeros where the recipient takes
// sealed messages from anyone), or a group send token.
type Access struct {
	Key            []byte
	GroupSendToken []byte
}

func (a Access) apply(header http.Header) {
	if len(a.GroupSendToken) > 0 {
		header.Set(headerGroupSendToken, base64.StdEncoding.EncodeToString(a.GroupSendToken))
		return
	}
	if len(a.Key) > 0 {
		header.Set(headerAccessKey, base64.StdEncoding.EncodeToString(a.Key))
	}
}
