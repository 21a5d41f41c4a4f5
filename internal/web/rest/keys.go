package rest

import (
	"context"

	"github.com/labstack/echo/v4"

	"baleen/api"
	"baleen/internal/ca"
)

// Keys answers for the keys of a CA and for its identity.
type Keys struct{ *Deps }

// Initiate starts a key roll in every class whose keys are at rest.
func (h Keys) Initiate(c echo.Context) error {
	return h.at(c, func(ctx context.Context, ifVersion *int64) error {
		return h.Service.InitiateKeyRoll(ctx, actor(c), c.Param(argCA), ifVersion)
	})
}

// Activate lets the new keys follow the current ones.
func (h Keys) Activate(c echo.Context) error {
	return h.at(c, func(ctx context.Context, ifVersion *int64) error {
		return h.Service.ActivateKeyRoll(ctx, actor(c), c.Param(argCA), ifVersion)
	})
}

// RenewIdentity gives the CA a new key and certificate for the protocols.
func (h Keys) RenewIdentity(c echo.Context) error {
	return h.at(c, func(ctx context.Context, ifVersion *int64) error {
		return h.Service.RenewIdentity(ctx, actor(c), c.Param(argCA), ifVersion)
	})
}

// Delete ends a CA.
func (h CAs) Delete(c echo.Context) error {
	return h.at(c, func(ctx context.Context, ifVersion *int64) error {
		return h.Service.DeleteCA(ctx, actor(c), c.Param(argCA), ifVersion)
	})
}

// Remove ends the relation to a parent.
func (h Parents) Remove(c echo.Context) error {
	return h.at(c, func(ctx context.Context, ifVersion *int64) error {
		return h.Service.RemoveParent(ctx, actor(c), c.Param(argCA), c.Param(argParent), ifVersion)
	})
}

// Remove ends the relation to a child.
func (h Children) Remove(c echo.Context) error {
	return h.at(c, func(ctx context.Context, ifVersion *int64) error {
		return h.Service.RemoveChild(ctx, actor(c), c.Param(argCA), c.Param(argChild), ifVersion)
	})
}

// classKeys is what is to be said of the keys of a class.
type classKeys struct {
	pending string          // key identifier; empty if there is none
	rolled  bool            // the second certificate is that of an old key, not of a new one
	certs   []ca.CertRecord // of the current key, and of the new or old one
}

func keysOf(class *ca.Class) classKeys {
	k := classKeys{rolled: class.Old != nil}
	if class.Pending != nil {
		k.pending = class.Pending.KeyID.String()
	}
	if class.Current != nil {
		k.certs = append(k.certs, class.Current.Cert)
	}
	if class.New != nil {
		k.certs = append(k.certs, class.New.Cert)
	}
	if class.Old != nil {
		k.certs = append(k.certs, class.Old.Cert)
	}
	return k
}

// state renders the keys, with the certificates by their hash.
func (k classKeys) state(ders map[ca.Hash][]byte) (out api.KeyState, err error) {
	infos := make([]api.CertifiedKeyInfo, len(k.certs))
	for i, r := range k.certs {
		infos[i].KeyID = r.KeyID.String()
		if infos[i].IncomingCert, err = certInfo(r, ders[r.Hash]); err != nil {
			return out, err
		}
	}
	pending := api.PendingKeyInfo{KeyID: k.pending}
	switch {
	case len(infos) == 0:
		out.Pending = &api.KeysPending{PendingKey: pending}
	case k.pending != "":
		out.RollPending = &api.KeysRollPending{PendingKey: pending, ActiveKey: infos[0]}
	case len(infos) == 1:
		out.Active = &api.KeysActive{ActiveKey: infos[0]}
	case k.rolled:
		out.RollOld = &api.KeysRollOld{ActiveKey: infos[0], OldKey: infos[1]}
	default:
		out.RollNew = &api.KeysRollNew{NewKey: infos[1], ActiveKey: infos[0]}
	}
	return out, nil
}
