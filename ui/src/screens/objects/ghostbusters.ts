// Ghostbusters records (RFC 6493) between the fields of a form and the API.

import type { Schema } from '../../lib/api'

type Contact = Schema['GhostbustersContact']

export const addressParts = ['street', 'locality', 'region', 'code', 'country'] as const

export type Fields = { fn: string; org: string; email: string; tel: string; fax: string } & Record<(typeof addressParts)[number], string>

const lines = (text: string): string[] =>
  text
    .split(/[\n,]+/)
    .map((l) => l.trim())
    .filter(Boolean)

export function fieldsOf(contact?: Contact): Fields {
  const adr = contact?.adr ?? {}
  return {
    fn: contact?.fn ?? '',
    org: contact?.org ?? '',
    email: (contact?.email ?? []).join('\n'),
    tel: (contact?.tel ?? []).join('\n'),
    fax: (contact?.fax ?? []).join('\n'),
    street: adr.street ?? '',
    locality: adr.locality ?? '',
    region: adr.region ?? '',
    code: adr.code ?? '',
    country: adr.country ?? '',
  }
}

// The contact that the fields say; what is empty is left out.
export function contactOf(fields: Fields): Contact {
  const adr = Object.fromEntries(addressParts.flatMap((p) => (fields[p].trim() ? [[p, fields[p].trim()]] : [])))
  const lists = { email: lines(fields.email), tel: lines(fields.tel), fax: lines(fields.fax) }
  return {
    fn: fields.fn.trim(),
    ...(fields.org.trim() ? { org: fields.org.trim() } : {}),
    ...(Object.keys(adr).length > 0 ? { adr } : {}),
    ...Object.fromEntries(Object.entries(lists).filter(([, list]) => list.length > 0)),
  }
}

// The contact on one line.
export const inBrief = (c: Contact): string =>
  [c.org, ...(c.email ?? []), ...(c.tel ?? []), ...(c.fax ?? []).map((f) => `fax ${f}`), addressParts.map((p) => c.adr?.[p]).filter(Boolean).join(', ')].filter(Boolean).join(' · ')
