package api

// PublicationServerURIs is the body of POST /api/v1/pubd/init.
type PublicationServerURIs struct {
	RRDPBaseURI string `json:"rrdp_base_uri"` // https, ends in a slash
	RsyncJail   string `json:"rsync_jail"`    // rsync, ends in a slash
}

// PublishedURI is the body of POST /api/v1/pubd/delete.
type PublishedURI struct {
	BaseURI string `json:"base_uri"` // of one object, or of all below it if it ends in a slash
}

// PublisherList is the answer to GET /api/v1/pubd/publishers.
type PublisherList struct {
	Publishers []Handle `json:"publishers"`
}

// PublisherDetails is the answer to GET /api/v1/pubd/publishers/{publisher}.
type PublisherDetails struct {
	Handle       string          `json:"handle"`
	IDCert       IDCertInfo      `json:"id_cert"`
	BaseURI      string          `json:"base_uri"`
	CurrentFiles []PublishedFile `json:"current_files"`
}

// ServerInfo is the answer to GET /stats/info.
type ServerInfo struct {
	Version string `json:"version"`
	Started int64  `json:"started"` // Unix seconds
}

// RepoStats is the answer to GET /stats/repo.
type RepoStats struct {
	Publishers map[string]PublisherStats `json:"publishers"`
	Session    string                    `json:"session"` // UUID
	Serial     uint64                    `json:"serial"`
	LastUpdate *Time                     `json:"last_update"`
	RsyncBase  string                    `json:"rsync_base"`
	RRDPBase   string                    `json:"rrdp_base"`
}

// PublisherStats counts what a publisher has published.
type PublisherStats struct {
	Objects   int64           `json:"objects"`
	Size      int64           `json:"size"` // octets
	Manifests []ManifestStats `json:"manifests"`
}

// ManifestStats says how current a publication point is.
type ManifestStats struct {
	URI        string `json:"uri"`
	ThisUpdate Time   `json:"this_update"`
	NextUpdate Time   `json:"next_update"`
}

// CAStats is a value of the answer to GET /stats/cas.
type CAStats struct {
	ROACount   int      `json:"roa_count"`
	ChildCount int      `json:"child_count"`
	BGPStats   BGPStats `json:"bgp_stats"`
}

// BGPStats compares a CA's ROAs with what is announced.
type BGPStats struct {
	AnnouncementsValid         int `json:"announcements_valid"`
	AnnouncementsInvalidASN    int `json:"announcements_invalid_asn"`
	AnnouncementsInvalidLength int `json:"announcements_invalid_length"`
	AnnouncementsDisallowed    int `json:"announcements_disallowed"`
	AnnouncementsNotFound      int `json:"announcements_not_found"`
	ROAsTooPermissive          int `json:"roas_too_permissive"`
	ROAsRedundant              int `json:"roas_redundant"`
	ROAsStale                  int `json:"roas_stale"`
	ROAsDisallowing            int `json:"roas_disallowing"`
	ROAsNotHeld                int `json:"roas_not_held"`
	ROAsTotal                  int `json:"roas_total"`
}
