package signalcore

import (
	"errors"
	"fmt"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/content"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// save is the transaction that makes the account ours. Of a former link it keeps the inbox, the recipients and what is
// known of them, and forgets what belonged to the former device.
func (p *provision) save(linked *service.LinkedDevice) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		if linked.ACI != p.aci {
			return fmt.Errorf("%w: the service names another account", errProvisioning)
		}
		if p.pni.IsZero() {
			p.pni = linked.PNI
		}
		for _, step := range []func(*store.Tx) error{
			forgetFormerLink, p.saveAccount(linked.DeviceID), p.saveKeys, p.saveSelf, addFirstJobs,
		} {
			if err := step(tx); err != nil {
				return err
			}
		}
		return nil
	}
}

// forgetFormerLink drops what only the former device could use.
func forgetFormerLink(tx *store.Tx) error {
	for _, kind := range []serviceid.Kind{serviceid.ACI, serviceid.PNI} {
		lastResorts, err := tx.PreKeys(kind, store.KyberLastResort)
		if err != nil {
			return err
		}
		for _, key := range lastResorts {
			if _, err := tx.ForgetBaseKeys(kind, key.ID); err != nil {
				return err
			}
		}
		if _, err := tx.DeleteAllPreKeys(kind); err != nil {
			return err
		}
		if _, err := tx.DeleteAllSessions(kind); err != nil {
			return err
		}
	}
	if err := tx.PutSenderCertificates(&storepb.SenderCertificates{}); err != nil {
		return err
	}
	return forgetFormerGroupKeys(tx)
}

// forgetFormerGroupKeys drops the keys with which the former device wrote to groups, and its credentials. The groups
// themselves stay known, and are fetched anew: what happened to them meanwhile, nobody told.
func forgetFormerGroupKeys(tx *store.Tx) error {
	former, err := tx.Account()
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if aci, err := uuid.FromBytes(former.GetAci()); err == nil {
		address := serviceid.Address{ServiceID: serviceid.NewACI(aci), DeviceID: former.GetDeviceId()}
		if _, err := tx.DeleteSenderKeys(address); err != nil {
			return err
		}
	}
	if _, err := tx.DeleteGroupSenders(); err != nil {
		return err
	}
	if err := tx.PutGroupCredentials(&storepb.GroupCredentials{}); err != nil {
		return err
	}
	return tx.Groups(func(g *storepb.Group) error {
		g.RefreshedAt = 0
		return tx.PutGroup(g)
	})
}

func (p *provision) saveAccount(device uint32) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		record := &storepb.Account{
			Aci: uuidBytes(p.aci.UUID), Number: p.number, DeviceId: device, Password: p.password,
			AciRegistrationId: p.ids[0].registrationID, AciIdentity: keyPairRecord(p.ids[0].keys),
			ProfileKey: p.message.GetProfileKey(), MasterKey: p.masterKey,
			AccountEntropyPool: p.message.GetAccountEntropyPool(), MediaRootBackupKey: p.message.GetMediaRootBackupKey(),
			EphemeralBackupKey: p.message.GetEphemeralBackupKey(), UserAgent: p.message.GetUserAgent(),
			DeviceName: p.deviceName, LinkedAt: p.now.UnixMilli(),
		}
		if pni := p.ids[1]; pni != nil && !p.pni.IsZero() {
			record.Pni, record.PniIdentity = uuidBytes(p.pni.UUID), keyPairRecord(pni.keys)
			record.PniRegistrationId = pni.registrationID
		}
		if err := tx.PutAccount(record); err != nil {
			return err
		}
		// The settings start anew: the storage service will be read from the beginning.
		settings := &storepb.AccountSettings{}
		if p.message.ReadReceipts != nil {
			settings.ReadReceipts = proto.Bool(p.message.GetReadReceipts())
		}
		return tx.PutAccountSettings(settings)
	}
}

func (p *provision) saveKeys(tx *store.Tx) error {
	for _, id := range p.identities() {
		state, err := tx.PreKeyState(id.kind)
		if err != nil {
			return err
		}
		now := p.now.UnixMilli()
		err = tx.PutPreKeyState(id.kind, &storepb.PreKeyState{
			NextEcId: state.NextEcId, NextSignedId: id.signed.ID + 1, NextKyberId: id.lastResort.ID + 1,
			ActiveSignedId: id.signed.ID, ActiveLastResortId: id.lastResort.ID,
			SignedRotatedAt: now, LastResortRotatedAt: now,
		})
		if err != nil {
			return err
		}
		if err := putSigned(tx, id.kind, id.signed); err != nil {
			return err
		}
		if err := putKyber(tx, id.kind, id.lastResort); err != nil {
			return err
		}
	}
	return nil
}

// saveSelf knows ourselves like any contact: our other devices have the same identity keys.
func (p *provision) saveSelf(tx *store.Tx) error {
	for i, own := range []serviceid.ServiceID{p.aci, p.pni} {
		if own.IsZero() || p.ids[i] == nil {
			continue
		}
		if _, err := tx.SaveIdentityKey(own, p.ids[i].keys.Public.Serialize()); err != nil {
			return err
		}
	}
	self, err := tx.Associate(store.Identifiers{ACI: p.aci, PNI: p.pni, Number: p.number})
	if err != nil {
		return err
	}
	self.ProfileKey, self.Whitelisted = p.message.GetProfileKey(), true
	self.AciDevices, self.AciDevicesAt, self.PniDevices, self.PniDevicesAt = nil, 0, nil, 0
	return tx.PutRecipient(self)
}

// addFirstJobs orders what a new device needs first.
func addFirstJobs(tx *store.Tx) error {
	jobs := []*storepb.Job{{Kind: storepb.JobKind_JOB_PREKEY_CHECK}}
	for _, what := range []content.RequestType{
		content.RequestKeys, content.RequestContacts, content.RequestBlocked, content.RequestConfiguration,
	} {
		payload, err := proto.Marshal(&storepb.SyncRequest{What: string(what)})
		if err != nil {
			return err
		}
		jobs = append(jobs, &storepb.Job{Kind: storepb.JobKind_JOB_SYNC_REQUEST, Payload: payload})
	}
	jobs = append(jobs, &storepb.Job{Kind: storepb.JobKind_JOB_STORAGE_SYNC})
	for _, job := range jobs {
		if err := tx.AddJob(job); err != nil {
			return err
		}
	}
	return nil
}
