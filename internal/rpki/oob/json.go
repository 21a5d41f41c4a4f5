package oob

import (
	"encoding/json"
	"errors"
)

// The JSON twins. Pointers tell what is missing from what is empty.
type childRequestJSON struct {
	IDCert      *string `json:"id_cert"`
	ChildHandle *string `json:"child_handle"`
	Tag         *string `json:"tag"`
}

type parentResponseJSON struct {
	IDCert       *string `json:"id_cert"`
	ParentHandle *string `json:"parent_handle"`
	ChildHandle  *string `json:"child_handle"`
	ServiceURI   *string `json:"service_uri"`
	Tag          *string `json:"tag"`
}

type publisherRequestJSON struct {
	IDCert          *string `json:"id_cert"`
	PublisherHandle *string `json:"publisher_handle"`
	Tag             *string `json:"tag"`
}

type repositoryResponseJSON struct {
	IDCert          *string  `json:"id_cert"`
	PublisherHandle *string  `json:"publisher_handle"`
	ServiceURI      *string  `json:"service_uri"`
	RepoInfo        repoInfo `json:"repo_info"`
	Tag             *string  `json:"tag"`
}

type repoInfo struct {
	SIABase         *string `json:"sia_base"`
	NotificationURI *string `json:"rrdp_notification_uri"`
	OldSIABase      *string `json:"base_uri,omitempty"`    // older name of sia_base, read only
	OldNotification *string `json:"rpki_notify,omitempty"` // older name of rrdp_notification_uri, read only
}

// MarshalJSON writes id_cert, child_handle, tag.
func (r ChildRequest) MarshalJSON() ([]byte, error) {
	return json.Marshal(childRequestJSON{IDCert: certText(r.IDCert), ChildHandle: &r.ChildHandle, Tag: optional(r.Tag)})
}

// UnmarshalJSON reads what MarshalJSON writes; unknown members are passed over.
func (r *ChildRequest) UnmarshalJSON(data []byte) error {
	var j childRequestJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}

	var f fields
	got := ChildRequest{IDCert: f.cert(j.IDCert), ChildHandle: f.need("child_handle", j.ChildHandle), Tag: value(j.Tag)}
	if err := f.check(got.check); err != nil {
		return err
	}
	*r = got
	return nil
}

// MarshalJSON writes id_cert, parent_handle, child_handle, service_uri, tag.
func (r ParentResponse) MarshalJSON() ([]byte, error) {
	return json.Marshal(parentResponseJSON{
		IDCert: certText(r.IDCert), ParentHandle: &r.ParentHandle, ChildHandle: &r.ChildHandle,
		ServiceURI: &r.ServiceURI, Tag: optional(r.Tag),
	})
}

// UnmarshalJSON reads what MarshalJSON writes; unknown members are passed over.
func (r *ParentResponse) UnmarshalJSON(data []byte) error {
	var j parentResponseJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}

	var f fields
	got := ParentResponse{
		IDCert:       f.cert(j.IDCert),
		ParentHandle: f.need("parent_handle", j.ParentHandle),
		ChildHandle:  f.need("child_handle", j.ChildHandle),
		ServiceURI:   f.need("service_uri", j.ServiceURI),
		Tag:          value(j.Tag),
	}
	if err := f.check(got.check); err != nil {
		return err
	}
	*r = got
	return nil
}

// MarshalJSON writes id_cert, publisher_handle, tag.
func (r PublisherRequest) MarshalJSON() ([]byte, error) {
	return json.Marshal(publisherRequestJSON{IDCert: certText(r.IDCert), PublisherHandle: &r.PublisherHandle, Tag: optional(r.Tag)})
}

// UnmarshalJSON reads what MarshalJSON writes; unknown members are passed over.
func (r *PublisherRequest) UnmarshalJSON(data []byte) error {
	var j publisherRequestJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}

	var f fields
	got := PublisherRequest{IDCert: f.cert(j.IDCert), PublisherHandle: f.need("publisher_handle", j.PublisherHandle), Tag: value(j.Tag)}
	if err := f.check(got.check); err != nil {
		return err
	}
	*r = got
	return nil
}

// MarshalJSON writes id_cert, publisher_handle, service_uri, repo_info, tag.
func (r RepositoryResponse) MarshalJSON() ([]byte, error) {
	return json.Marshal(repositoryResponseJSON{
		IDCert: certText(r.IDCert), PublisherHandle: &r.PublisherHandle, ServiceURI: &r.ServiceURI,
		RepoInfo: repoInfo{SIABase: &r.SIABase, NotificationURI: optional(r.NotificationURI)}, Tag: optional(r.Tag),
	})
}

// UnmarshalJSON reads what MarshalJSON writes, and the older names base_uri and
// rpki_notify inside repo_info; unknown members are passed over.
func (r *RepositoryResponse) UnmarshalJSON(data []byte) error {
	var j repositoryResponseJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	if j.RepoInfo.SIABase == nil {
		j.RepoInfo.SIABase = j.RepoInfo.OldSIABase
	}
	if j.RepoInfo.NotificationURI == nil {
		j.RepoInfo.NotificationURI = j.RepoInfo.OldNotification
	}

	var f fields
	got := RepositoryResponse{
		IDCert:          f.cert(j.IDCert),
		PublisherHandle: f.need("publisher_handle", j.PublisherHandle),
		ServiceURI:      f.need("service_uri", j.ServiceURI),
		SIABase:         f.need("sia_base", j.RepoInfo.SIABase),
		NotificationURI: value(j.RepoInfo.NotificationURI),
		Tag:             value(j.Tag),
	}
	if err := f.check(got.check); err != nil {
		return err
	}
	*r = got
	return nil
}

// fields keeps the first error while members are taken.
type fields struct{ err error }

func (f *fields) need(name string, v *string) string {
	if v == nil {
		f.fail(errors.New("missing field `" + name + "`"))
		return ""
	}
	return *v
}

func (f *fields) cert(v *string) []byte {
	der, err := decodeCert(f.need("id_cert", v))
	if err != nil {
		f.fail(err)
	}
	return der
}

func (f *fields) fail(err error) {
	if f.err == nil {
		f.err = err
	}
}

func (f *fields) check(whole func() error) error {
	if f.err != nil {
		return f.err
	}
	return whole()
}

func value(v *string) string {
	if v == nil {
		return ""
	}
	return *v
}

func optional(v string) *string {
	if v == "" {
		return nil
	}
	return &v
}

func certText(der []byte) *string {
	text := encodeCert(der)
	return &text
}
