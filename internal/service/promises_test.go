package service_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"baleen/internal/ca"
	"baleen/internal/es/pgstore"
	"baleen/internal/rpki/cert"
	"baleen/internal/rpki/cms"
	"baleen/internal/rpki/manifest"
	"baleen/internal/rpki/profile"
	"baleen/internal/service"
)

// all gives the names of all CAs, parents before their children.
func (k *walk) all() []string { return append([]string{"testbed"}, k.cas...) }

// keysOfClass gives the certified keys of a class.
func keysOfClass(c *ca.Class) (keys []string) {
	if c.Current != nil {
		keys = append(keys, c.Current.KeyID.String())
	}
	if c.New != nil {
		keys = append(keys, c.New.KeyID.String())
	}
	if c.Old != nil {
		keys = append(keys, c.Old.KeyID.String())
	}
	return keys
}

// checkPublished is P1: what a CA publishes is a function of its configuration,
// what it holds and the state of its keys; here worked out anew, file by file.
func (k *walk) checkPublished() {
	k.T.Helper()
	want := map[string]bool{}
	for _, name := range k.all() {
		st := k.State(name)
		for _, c := range st.Classes {
			if c.Current != nil {
				k.filesOf(&st, c, want)
			}
		}
	}
	objects, err := k.Repository()
	k.Must(err)
	got := map[string]bool{}
	for uri := range objects {
		if strings.Count(strings.TrimPrefix(uri, testbed.RsyncJail), "/") > 0 { // the trust anchor has the top folder
			got[uri] = true
		}
	}
	if !maps.Equal(got, want) {
		k.T.Errorf("P1: published\n%s\nwanted\n%s", lines(got), lines(want))
	}
}

// filesOf adds what a class publishes.
func (k *walk) filesOf(st *ca.State, c *ca.Class, want map[string]bool) {
	held, base := c.Current.Cert.Resources, c.Current.Cert.SIA.Repository
	own := func(cert ca.CertRecord) {
		want[cert.SIA.Manifest] = true
		want[cert.SIA.Repository+cert.KeyID.String()+".crl"] = true
	}
	own(c.Current.Cert)
	if c.New != nil {
		own(c.New.Cert)
	}
	if c.Old != nil {
		own(c.Old.Cert)
	}
	var routes []ca.ROA
	for r := range st.ROAs {
		if held.ContainsPrefix(r.Prefix) {
			routes = append(routes, r)
		}
	}
	byAS := len(routes) > k.Config.Policy.ROAAggregate
	for name := range c.ROAs { // between the thresholds either is right
		byAS = byAS || len(routes) >= k.Config.Policy.ROADeaggregate && strings.HasPrefix(name, "AS")
	}
	for _, r := range routes {
		name := hex.EncodeToString([]byte(r.String()))
		if byAS {
			name = ca.ASPA{Customer: r.ASID}.FileName()
			name = strings.TrimSuffix(name, ".asa")
		}
		want[base+name+".roa"] = true
	}
	for _, a := range st.SortedASPAs() {
		if held.ContainsAS(a.Customer) {
			want[base+a.FileName()] = true
		}
	}
	for r := range st.RouterKeys {
		if held.ContainsAS(r.ASID) {
			want[base+r.FileName()] = true
		}
	}
	for name, child := range st.Children {
		theirs := c.Name
		if other, ok := child.ClassNames[c.Name]; ok {
			theirs = other
		}
		for _, sub := range k.State(name).Classes {
			if sub.Parent == st.Handle && sub.ParentClass == theirs {
				for _, key := range keysOfClass(sub) {
					want[base+key+".cer"] = true
				}
			}
		}
	}
}

// watchManifests notes every manifest that is ever made, and the version of the
// CA that made it.
func (k *walk) watchManifests() {
	k.T.Helper()
	k.Exec(`CREATE TABLE seen_manifest (id bigserial, stream_id uuid, version bigint, key_id text, number bigint, before bigint, at timestamptz, mft bytea, crl bytea)`)
	k.Exec(`CREATE FUNCTION see_manifest() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		INSERT INTO seen_manifest (stream_id, version, key_id, number, before, at, mft, crl)
		SELECT NEW.stream_id, version, NEW.key_id, NEW.number, CASE TG_OP WHEN 'UPDATE' THEN OLD.number ELSE 0 END, NEW.this_update, NEW.mft_hash, NEW.crl_hash FROM es_stream WHERE id = NEW.stream_id;
		RETURN NULL;
	END $$`)
	k.Exec(`CREATE TRIGGER see_manifest AFTER INSERT OR UPDATE ON ca_manifest FOR EACH ROW EXECUTE FUNCTION see_manifest()`)
}

// seenManifest is one manifest that was made, and the certificate that the CA
// knew of its key then.
type seenManifest struct {
	ID             int64
	Key            string
	Number, Before int64
	At             time.Time
	MFT, CRL, Cert []byte
}

const newManifests = `SELECT m.id, m.key_id, m.number, m.before, m.at, (SELECT der FROM der_object WHERE hash = m.mft), (SELECT der FROM der_object WHERE hash = m.crl),
	(SELECT der FROM der_object WHERE hash = (SELECT decode(e.payload->'cert'->>'hash', 'hex') FROM es_event e WHERE e.stream_id = m.stream_id AND e.version <= m.version
		AND e.name IN ('certificate_received/1', 'key_staged/1') AND e.payload->>'key_id' = m.key_id ORDER BY e.version DESC, e.ordinal DESC LIMIT 1))
	FROM seen_manifest m WHERE m.id > $1 ORDER BY m.id`

// checkManifests is P2 and P4, for every manifest that was ever made, however
// shortly it lived: manifest and CRL come together, under numbers that rise by
// one; and what a manifest lists is valid under the certificate that the CA had
// then, so that nothing claims more.
func (k *walk) checkManifests() {
	k.T.Helper()
	rows, err := k.DB.Query(k.T.Context(), newManifests, k.judged)
	k.Must(err)
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[seenManifest])
	k.Must(err)
	for _, m := range list {
		k.judged = m.ID
		if m.Number != m.Before+1 {
			k.T.Errorf("P2: manifest %d of key %s follows number %d", m.Number, m.Key, m.Before)
		}
		k.checkManifest(m)
	}
}

func (k *walk) checkManifest(m seenManifest) {
	k.T.Helper()
	at := m.At.Add(6 * time.Minute) // they begin five minutes before they are made
	issuer, err := cert.Decode(m.Cert)
	k.Must(err)
	for what, err := range map[string]error{"manifest": profile.CheckManifest(m.MFT, issuer, at), "CRL": profile.CheckCRL(m.CRL, issuer, at)} {
		if err != nil {
			k.T.Errorf("P2: the %s of key %s, number %d: %v", what, m.Key, m.Number, err)
		}
	}
	obj, err := cms.Decode(m.MFT)
	k.Must(err)
	content, err := manifest.Decode(obj.Content)
	k.Must(err)
	hashes := map[ca.Hash]string{}
	for _, f := range content.Files {
		hashes[f.Hash] = f.Name
	}
	objects, err := k.Objects(k.T.Context(), slices.Collect(maps.Keys(hashes)))
	k.Must(err)
	for hash, name := range hashes {
		der, ok := objects[hash]
		if !ok {
			k.T.Errorf("manifest %d of key %s lists %s, which nobody has", m.Number, m.Key, name)
			continue
		}
		var err error
		switch {
		case path.Ext(name) == ".roa":
			err = profile.CheckROA(der, issuer, at)
		case path.Ext(name) == ".asa":
			err = profile.CheckASPA(der, issuer, at)
		case strings.HasPrefix(name, "ROUTER-"):
			err = profile.CheckRouterCertificate(der, issuer, at)
		case path.Ext(name) == ".cer":
			err = profile.CheckCACertificate(der, issuer, at)
		}
		if err != nil {
			k.T.Errorf("P4: %s in manifest %d of key %s: %v", name, m.Number, m.Key, err)
		}
	}
}

// loseAndRegain is P3: what is lost with resources comes back with them, and the
// configuration stays as it is.
func (k *walk) loseAndRegain() {
	k.T.Helper()
	name, parent, ok := k.someLink()
	if !ok {
		return
	}
	k.askAll()
	k.unsuspend()
	before, err := k.ValidateAll()
	k.Must(err)
	configured := k.configurations()
	held := k.State(parent).Children[name].Resources
	less := k.share(held)
	if has := k.held(parent); less.IsEmpty() || !has.Contains(held) { // it would not get back what its parent lost
		return
	}
	for _, res := range []*ca.UpdateChild{{Child: name, Resources: &less}, {Child: name, Resources: &held}} {
		k.Must(k.UpdateChild(k.T.Context(), operator, parent, *res, service.AnyVersion))
		k.Settle()
		k.askAll()
	}
	after, err := k.ValidateAll()
	k.Must(err)
	if now := k.configurations(); now != configured {
		k.T.Errorf("P3: the configurations were\n%s\nand are\n%s", configured, now)
	}
	for _, p := range [][2]map[string]bool{{before.VRPs, after.VRPs}, {before.ASPAs, after.ASPAs}, {before.RouterKeys, after.RouterKeys}} {
		if !maps.Equal(p[0], p[1]) {
			k.T.Errorf("P3: before %s had less were valid\n%s\nand after it\n%s", name, lines(p[0]), lines(p[1]))
		}
	}
}

// configurations gives what all CAs have configured.
func (k *walk) configurations() string {
	all := map[string]any{}
	for _, name := range k.cas {
		st := k.State(name)
		all[name] = []any{st.SortedROAs(), st.SortedASPAs(), st.RouterKeys}
	}
	raw, err := json.Marshal(all)
	k.Must(err)
	return string(raw)
}

// askAll lets every CA ask its parents until nobody learns anything new: who
// stands below a CA that lost or gained something is told when it asks.
func (k *walk) askAll() {
	k.T.Helper()
	for news := -1; news != k.Count("es_command"); {
		news = k.Count("es_command")
		k.Must(k.BulkSyncParents(k.T.Context()))
		k.Settle()
	}
}

// checkRemoved is P5: of who left nothing is published.
func (k *walk) checkRemoved() {
	k.T.Helper()
	objects, err := k.Repository()
	k.Must(err)
	for uri := range objects {
		if key := strings.TrimSuffix(path.Base(uri), path.Ext(uri)); k.dead[key] {
			k.T.Errorf("P5: %s is published, of a key that is gone", uri)
		}
	}
	for _, name := range k.gone {
		if left := k.FilesOf(name); len(left) > 0 {
			k.T.Errorf("P5: %s is gone and publishes %v", name, left)
		}
	}
}

// checkClasses is P6: no name of a class is used twice.
func (k *walk) checkClasses() {
	k.T.Helper()
	if n := k.Count(`(SELECT FROM es_event WHERE name = 'resource_class_added/1' GROUP BY stream_id, payload->>'class' HAVING count(*) > 1) twice`); n > 0 {
		k.T.Errorf("P6: %d names of classes were used again", n)
	}
}

// retry is P7: every task may run again, and then does nothing.
func (k *walk) retry() {
	k.T.Helper()
	k.askAll()
	k.unsuspend()
	k.unchanged("P7: tasks without work", func() {
		k.enqueue(service.Renew{}, service.Republish{})
		for _, name := range k.all() {
			k.enqueue(service.IssueCA{CA: name}, service.PublishCA{CA: name}, service.SyncRepo{CA: name}, service.LeaveRepos{CA: name}, service.RefreshCA{CA: name})
			for parent := range k.State(name).Parents {
				k.enqueue(service.SyncParent{CA: name, Parent: parent})
			}
		}
	})
}

// unchanged does something and wants no command to be recorded, no manifest to
// be made and no RRDP serial to come.
func (k *walk) unchanged(what string, do func()) {
	k.T.Helper()
	k.Settle()
	look := func() string {
		var text string
		k.Must(k.DB.QueryRow(k.T.Context(), `SELECT concat_ws(' ', (SELECT count(*) FROM es_command), (SELECT sum(number) FROM ca_manifest), (SELECT count(*) FROM seen_manifest),
			(SELECT string_agg(c.name, ',') FROM (SELECT name FROM es_command ORDER BY at DESC LIMIT 5) c))`).Scan(&text))
		return text
	}
	before := look()
	do()
	k.Settle()
	if after := look(); after != before {
		k.T.Errorf("%s did something: commands and manifest numbers were %s and are %s", what, before, after)
	}
}

// nothing is P8: to ask for what is there already is no news.
func (k *walk) nothing() {
	k.T.Helper()
	k.unsuspend()
	k.unchanged("P8: requests that change nothing", func() {
		ctx := k.T.Context()
		for _, name := range k.cas {
			st := k.State(name)
			k.Must(k.Configure(name, ca.ConfigureROAs{}))
			_, err := k.ConfigureASPAs(ctx, operator, name, ca.ConfigureASPAs{AddOrReplace: st.SortedASPAs()}, nil)
			k.Must(err)
			for _, a := range st.SortedASPAs() {
				_, err := k.UpdateASPA(ctx, operator, name, ca.UpdateASPA{Customer: a.Customer, Added: a.Providers, Removed: []uint32{64999}}, nil)
				k.Must(err)
			}
			var keys ca.ConfigureRouterKeys
			for r, config := range st.RouterKeys {
				keys.Add = append(keys.Add, ca.RouterCSR{ASID: r.ASID, CSR: config.CSR})
			}
			_, err = k.ConfigureRouterKeys(ctx, operator, name, keys, nil)
			k.Must(err)
			for parent := range st.Parents {
				child, awake := k.State(parent).Children[name], false
				k.Must(k.UpdateChild(ctx, operator, parent, ca.UpdateChild{Child: name, Resources: &child.Resources, IDCert: child.IDCert, Suspend: &awake}, service.AnyVersion))
				up, err := k.ParentResponse(ctx, parent, name)
				k.Must(err)
				if bytes.Equal(up.IDCert, st.Parents[parent].IDCert) { // the parent has the identity that it had
					k.Must(k.SetParent(ctx, operator, name, parent, up, service.AnyVersion))
				}
			}
		}
	})
}

// checkStates is P9: what a process that knows nothing reads from the database
// is what this one works with, also where it begins with a snapshot.
func (k *walk) checkStates() {
	k.T.Helper()
	for _, name := range k.all() {
		live := k.StateJSON(name)
		cold := pgstore.Store[ca.State]{Type: ca.Type(), DB: k.DB, Now: k.Now}
		var read string
		k.Must(cold.View(k.T.Context(), name, func(st *ca.State, _ int64) error {
			raw, err := json.Marshal(st)
			read = string(raw)
			return err
		}))
		if read != live {
			k.T.Errorf("P9: the state of %s is\n%s\nand is read as\n%s", name, live, read)
		}
		if n := k.Count("es_snapshot p JOIN es_stream s ON s.id = p.stream_id AND s.version = p.version WHERE s.kind = 'ca' AND s.deleted_at IS NULL AND s.handle = '" + name + "'"); n == 0 && k.rng.IntN(4) == 0 {
			k.ForceSnapshot(name)
		}
	}
}

// unsuspend lets all children be active again.
func (k *walk) unsuspend() {
	k.T.Helper()
	for _, name := range k.all() {
		st := k.State(name)
		for _, child := range st.SuspendedChildren() {
			k.Must(k.SetChildSuspended(k.T.Context(), operator, name, child, false, service.AnyVersion))
		}
	}
	k.Settle()
}
