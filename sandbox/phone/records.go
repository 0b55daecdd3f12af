package phone

import (
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	"signalbox/sandbox/accounts"
	"signalbox/signalcore/content/storagecipher"
	"signalbox/signalcore/signalpb/servicepb"
)

const (
	recordIKMSize = 32
	// storageIDSize is that of an item's key (Signal-Desktop ts/services/storage.preload.ts, generateStorageID).
	storageIDSize = 16
)

// Record is the account as one of another's contacts, for that one's storage service.
func (p *Phone) Record() *servicepb.StorageRecord {
	return &servicepb.StorageRecord{Record: &servicepb.StorageRecord_Contact{Contact: &servicepb.ContactRecord{
		Aci: proto.String(p.ACI.UUID.String()), AciBinary: p.ACI.UUID[:], PniBinary: p.PNI.UUID[:],
		Pni: proto.String(p.PNI.UUID.String()), E164: &p.Number, ProfileKey: p.ProfileKey[:],
		IdentityKey: p.Identity().Keys.Public.Serialize(), GivenName: &p.options.Name.Given,
		FamilyName: &p.options.Name.Family, Whitelisted: proto.Bool(true),
	}}}
}

// AccountRecord is what the account keeps of itself.
func (p *Phone) AccountRecord() *servicepb.StorageRecord {
	return &servicepb.StorageRecord{Record: &servicepb.StorageRecord_Account{Account: &servicepb.AccountRecord{
		ProfileKey: p.ProfileKey[:], GivenName: &p.options.Name.Given, FamilyName: &p.options.Name.Family,
		ReadReceipts: proto.Bool(true), TypingIndicators: proto.Bool(true), LinkPreviews: proto.Bool(true),
		PhoneNumberSharingMode: servicepb.AccountRecord_EVERYBODY.Enum(),
	}}}
}

// StorageWrite adds records to what the account keeps in the storage service; stands is the manifest there, nil before
// the first.
func (p *Phone) StorageWrite(
	stands *servicepb.StorageManifest, records []*servicepb.StorageRecord,
) (*servicepb.WriteOperation, error) {
	keys := storagecipher.ItemKeys{StorageKey: p.Pool.MasterKey().StorageKey()}
	next, err := p.nextManifest(keys, stands)
	if err != nil {
		return nil, fmt.Errorf("storage service: %w", err)
	}
	keys.RecordIKM = next.GetRecordIkm()
	operation := &servicepb.WriteOperation{}
	for _, record := range records {
		id := &servicepb.ManifestRecord_Identifier{Type: recordType(record).Enum()}
		if id.Raw, err = p.random(storageIDSize); err != nil {
			return nil, err
		}
		item, err := keys.SealItem(p.options.Rand, id.GetRaw(), record)
		if err != nil {
			return nil, fmt.Errorf("storage service: %w", err)
		}
		operation.InsertItem = append(operation.InsertItem, item)
		next.Identifiers = append(next.Identifiers, id)
	}
	operation.Manifest, err = storagecipher.SealManifest(p.options.Rand, keys.StorageKey, next)
	return operation, err
}

func (p *Phone) nextManifest(
	keys storagecipher.ItemKeys, stands *servicepb.StorageManifest,
) (*servicepb.ManifestRecord, error) {
	if stands == nil {
		ikm, err := p.random(recordIKMSize)
		return &servicepb.ManifestRecord{
			Version: proto.Uint64(1), SourceDevice: proto.Uint32(accounts.PrimaryID), RecordIkm: ikm,
		}, err
	}
	next, err := storagecipher.OpenManifest(keys.StorageKey, stands)
	if err != nil {
		return nil, err
	}
	next.Version, next.SourceDevice = proto.Uint64(next.GetVersion()+1), proto.Uint32(accounts.PrimaryID)
	return next, nil
}

func (p *Phone) random(size int) ([]byte, error) {
	out := make([]byte, size)
	if _, err := io.ReadFull(p.options.Rand, out); err != nil {
		return nil, fmt.Errorf("reading randomness: %w", err)
	}
	return out, nil
}

func recordType(r *servicepb.StorageRecord) servicepb.ManifestRecord_Identifier_Type {
	switch {
	case r.GetContact() != nil:
		return servicepb.ManifestRecord_Identifier_CONTACT
	case r.GetGroupV2() != nil:
		return servicepb.ManifestRecord_Identifier_GROUPV2
	case r.GetAccount() != nil:
		return servicepb.ManifestRecord_Identifier_ACCOUNT
	}
	return servicepb.ManifestRecord_Identifier_UNKNOWN
}
