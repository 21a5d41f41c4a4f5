package verify

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"baleen/internal/ca"
	"baleen/internal/castore"
	"baleen/internal/pubserver"
	"baleen/internal/rpki/cert"
	"baleen/internal/service"
	"baleen/internal/ta"
	"baleen/internal/tasks"
	"baleen/internal/trustanchor"
)

// ca compares a CA with its keys, its signed objects, what it wants published
// and what is published.
func (p place) ca(ctx context.Context, st *ca.State) error {
	p.key(st.Identity.KeyID, "identity")
	var list []object
	for _, name := range slices.Sorted(maps.Keys(st.Classes)) {
		list = append(list, p.class(st.Classes[name])...)
	}
	for _, name := range slices.Sorted(maps.Keys(st.Children)) {
		for _, w := range st.Children[name].Withheld {
			list = append(list, object{hash: w.Hash, what: "certificate of suspended child " + name, check: fitsCert(w.CertRecord)})
		}
	}
	wanted, err := p.rows.Objects(ctx, p.s.ID)
	if err != nil {
		return err
	}
	manifests, err := p.rows.Manifests(ctx, p.s.ID)
	if err != nil {
		return err
	}
	list = append(list, p.wanted(st, wanted, manifests)...)
	if err := p.objects(ctx, list); err != nil {
		return err
	}
	for i, r := range st.Repositories() {
		p.publication(r.SIABase, castore.WantedAt(wanted, r.ServiceURI, i == 0), service.SyncRepo{CA: p.s.Handle}, service.LeaveRepos{CA: p.s.Handle})
	}
	return nil
}

// class checks the keys of a class and gives the objects it names.
func (p place) class(c *ca.Class) []object {
	var list []object
	if c.Pending != nil {
		p.key(c.Pending.KeyID, "pending key of class "+c.Name)
	}
	certified := func(k *ca.CertifiedKey, what string) {
		p.key(k.KeyID, what+" key of class "+c.Name)
		list = append(list, object{hash: k.Cert.Hash, what: "certificate of class " + c.Name, check: fitsCert(k.Cert)})
	}
	if c.Current != nil {
		certified(c.Current, "current")
	}
	if c.New != nil {
		certified(&c.New.CertifiedKey, "new")
		list = append(list, signedObjects(c.New.Objects)...)
	}
	if c.Old != nil {
		certified(&c.Old.CertifiedKey, "old")
	}
	return append(list, signedObjects(c.Objects)...)
}

// signedObjects gives what a key signed beside its manifest and CRL. Checklists
// are there although they are not published.
func signedObjects(o ca.Objects) []object {
	var list []object
	for _, name := range slices.Sorted(maps.Keys(o.ROAs)) {
		list = append(list, object{hash: o.ROAs[name].Hash, what: "ROA " + name, check: fitsROA(o.ROAs[name])})
	}
	for _, issued := range o.Certs {
		list = append(list, object{hash: issued.Hash, what: "certificate of child " + issued.Child, check: fitsCert(issued.CertRecord)})
	}
	for _, customer := range slices.Sorted(maps.Keys(o.ASPAs)) {
		list = append(list, object{hash: o.ASPAs[customer].Hash, what: "ASPA " + o.ASPAs[customer].FileName(), check: fitsASPA(o.ASPAs[customer])})
	}
	for _, r := range slices.SortedFunc(maps.Keys(o.RouterCerts), ca.CompareRouterKeys) {
		list = append(list, object{hash: o.RouterCerts[r].Hash, what: "router certificate " + r.FileName(), check: fitsRouter(o.RouterCerts[r])})
	}
	for _, name := range slices.Sorted(maps.Keys(o.Ghostbusters)) {
		list = append(list, object{hash: o.Ghostbusters[name].Hash, what: "Ghostbusters record " + o.Ghostbusters[name].FileName(), check: fitsGhostbusters(o.Ghostbusters[name])})
	}
	for _, serial := range slices.Sorted(maps.Keys(o.Checklists)) {
		list = append(list, object{hash: o.Checklists[serial].Hash, what: "signed checklist " + serial, check: fitsChecklist(o.Checklists[serial])})
	}
	return list
}

// wanted compares what a CA wants published with its state, and gives the
// manifests and CRLs. An object that has expired may be wanted still.
func (p place) wanted(st *ca.State, wanted map[string]castore.Object, manifests map[cert.KeyID]castore.Manifest) []object {
	todo := []tasks.Args{service.PublishCA{CA: p.s.Handle}, service.PublishCA{CA: p.s.Handle, Force: true}, service.IssueCA{CA: p.s.Handle}}
	may := map[string]bool{}
	for _, point := range st.Points(time.Time{}) {
		for _, f := range point.Files {
			may[point.Cert.SIA.Repository+f.Name] = true
		}
	}
	var list []object
	points := st.Points(p.Now)
	for _, point := range points {
		base := point.Cert.SIA.Repository
		must := map[string]ca.Hash{}
		for _, f := range point.Files {
			must[base+f.Name] = f.Hash
		}
		m, ok := manifests[point.Key]
		if ok {
			must[crlURI(point)], must[point.Cert.SIA.Manifest] = m.CRL, m.MFT
			list = append(list, p.edition(point, m, filesOf(point, points, wanted), todo)...)
		} else {
			p.unless(todo, "class %s: key %s has no manifest", point.Class, point.Key)
		}
		for _, uri := range slices.Sorted(maps.Keys(must)) {
			may[uri] = true
			p.isWanted(uri, castore.Object{Hash: must[uri], Repository: point.Repository}, wanted, todo)
		}
	}
	for _, uri := range slices.Sorted(maps.Keys(wanted)) {
		if !may[uri] {
			p.unless(todo, "%s is wanted in the repository, and the state names no such object", uri)
		}
	}
	return list
}

// isWanted makes sure that an object is wanted as the state says.
func (p place) isWanted(uri string, must castore.Object, wanted map[string]castore.Object, todo []tasks.Args) {
	switch o, ok := wanted[uri]; {
	case !ok:
		p.unless(todo, "%s is not among what is wanted in the repository", uri)
	case o.Hash != must.Hash:
		p.unless(todo, "%s is wanted with hash %s, and the state says %s", uri, o.Hash, must.Hash)
	case o.Repository != "" && o.Repository != must.Repository:
		p.unless(todo, "%s is wanted at %s, and the state says %s", uri, o.Repository, must.Repository)
	}
}

func crlURI(p ca.Point) string { return p.Cert.SIA.Repository + p.Key.String() + ".crl" }

// filesOf gives what is wanted in the folder of a key, by name, but for its
// manifest and what is another key's: its manifest must list exactly this. The
// old or new key of a class has the same folder, and no files.
func filesOf(point ca.Point, all []ca.Point, wanted map[string]castore.Object) map[string]ca.Hash {
	others := map[string]bool{point.Cert.SIA.Manifest: true}
	first := true // of the keys of this folder: the current one, which has the files
	for i, p := range all {
		if p.Key == point.Key {
			first = i == 0 || all[i-1].Class != p.Class || all[i-1].Cert.SIA.Repository != p.Cert.SIA.Repository
			continue
		}
		others[p.Cert.SIA.Manifest], others[crlURI(p)] = true, true
	}
	files := map[string]ca.Hash{}
	for uri, o := range wanted {
		name, ok := strings.CutPrefix(uri, point.Cert.SIA.Repository)
		if ok && !others[uri] && !strings.Contains(name, "/") && (first || uri == crlURI(point)) {
			files[name] = o.Hash
		}
	}
	return files
}

// edition gives the manifest and CRL of a key.
func (p place) edition(point ca.Point, m castore.Manifest, files map[string]ca.Hash, todo []tasks.Args) []object {
	return []object{
		{hash: m.MFT, what: "manifest of class " + point.Class, check: fitsManifest(m, files), todo: todo},
		{hash: m.CRL, what: "CRL of class " + point.Class, check: fitsCRL(m, point.Revoked), todo: todo},
	}
}

// publication compares what the publisher whose folder this is has with what
// it wants, if that is one of this server.
func (p place) publication(folder string, wanted map[string]ca.Hash, todo ...tasks.Args) {
	i := slices.IndexFunc(p.published.Publishers, func(r pubserver.PublisherStats) bool { return r.BaseURI == folder })
	if i < 0 {
		return
	}
	has := p.published.Objects[p.published.Publishers[i].Handle]
	for _, uri := range slices.Sorted(maps.Keys(wanted)) {
		if f, ok := has[uri]; !ok {
			p.unless(todo, "%s is wanted and not published", uri)
		} else if ca.Hash(f.Hash) != wanted[uri] {
			p.unless(todo, "%s is published with hash %x, and wanted with %s", uri, f.Hash, wanted[uri])
		}
	}
	for _, uri := range slices.Sorted(maps.Keys(has)) {
		if _, ok := wanted[uri]; !ok {
			p.unless(todo, "%s is published and not wanted", uri)
		}
	}
}

// proxy compares the online part of the trust anchor.
func (p place) proxy(ctx context.Context, st *ta.ProxyState) error {
	p.key(st.Identity.KeyID, "identity")
	if st.Signer == nil {
		return nil
	}
	if err := p.objects(ctx, taObjects(st.Signer.TA, st.Signer.Objects)); err != nil || st.Repository == nil {
		return err
	}
	wanted := map[string]ca.Hash{}
	for _, f := range st.Published() {
		wanted[st.Repository.SIABase+f.Name] = f.Hash
	}
	p.publication(st.Repository.SIABase, wanted, trustanchor.Publish{})
	return nil
}

// signer compares the part of the trust anchor that signs, where it is here.
func (p place) signer(ctx context.Context, st *ta.SignerState) error {
	p.key(st.Identity.KeyID, "identity")
	p.key(st.TA.KeyID, "trust anchor")
	return p.objects(ctx, taObjects(st.TA, st.Objects))
}

// taObjects gives the objects of a trust anchor.
func taObjects(root ta.CertRecord, o ta.Objects) []object {
	list := []object{{hash: ca.Hash(root.Hash), what: "trust anchor certificate", check: fitsTA(root)}}
	for _, issued := range o.Issued {
		list = append(list, object{hash: ca.Hash(issued.Hash), what: "certificate of child " + issued.Child, check: fitsTA(issued.CertRecord)})
	}
	if o.Number == 0 {
		return list
	}
	files := map[string]ca.Hash{}
	for _, f := range o.Published() {
		if f.Name != o.Manifest.Name {
			files[f.Name] = f.Hash
		}
	}
	revoked := make([]ca.Revocation, len(o.Revoked))
	for i, r := range o.Revoked {
		revoked[i] = ca.Revocation(r)
	}
	m := castore.Manifest{Number: int64(o.Number), ThisUpdate: o.ThisUpdate, NextUpdate: o.NextUpdate}
	return append(list,
		object{hash: ca.Hash(o.Manifest.Hash), what: "manifest", check: fitsManifest(m, files)},
		object{hash: ca.Hash(o.CRL.Hash), what: "CRL", check: fitsCRL(m, revoked)},
	)
}

// repository compares the publication server's state with its rows.
func (p place) repository(_ context.Context, st *pubserver.State) error {
	p.key(st.KeyID, "identity")
	rows := map[string]pubserver.PublisherStats{}
	for _, r := range p.published.Publishers {
		rows[r.Handle] = r
		if _, ok := st.Publishers[r.Handle]; !ok {
			p.found("publisher %s has a row, and the state does not know it", r.Handle)
		}
	}
	for _, handle := range slices.Sorted(maps.Keys(st.Publishers)) {
		if r, ok := rows[handle]; !ok {
			p.found("publisher %s has no row", handle)
		} else if r.BaseURI != st.Publishers[handle].BaseURI {
			p.found("publisher %s may publish below %s, and its row says %s", handle, st.Publishers[handle].BaseURI, r.BaseURI)
		}
	}
	for publisher := range p.published.Objects {
		if _, ok := rows[publisher]; !ok {
			rows[publisher] = pubserver.PublisherStats{}
		}
	}
	for _, publisher := range slices.Sorted(maps.Keys(rows)) {
		p.files(publisher, rows[publisher])
	}
	return nil
}

// files checks what one publisher has: that the contents are there, and that
// its figures are right. Contents that were changed are named by their hash.
func (p place) files(publisher string, says pubserver.PublisherStats) {
	var count pubserver.PublisherStats
	files := p.published.Objects[publisher]
	for _, uri := range slices.Sorted(maps.Keys(files)) {
		f := files[uri]
		count.Objects, count.Bytes = count.Objects+1, count.Bytes+f.Size
		switch h := ca.Hash(f.Hash); {
		case f.Octets < 0:
			p.found("%s: object %s is missing", uri, h)
		case f.Octets != f.Size || p.damaged[h]:
			p.named[h] = true
			p.found("%s: object %s was changed: it is not what its name says", uri, h)
		}
	}
	if count.Objects != says.Objects || count.Bytes != says.Bytes {
		p.found("publisher %s has %d objects of %d octets, and its row says %d of %d", publisher, count.Objects, count.Bytes, says.Objects, says.Bytes)
	}
}
