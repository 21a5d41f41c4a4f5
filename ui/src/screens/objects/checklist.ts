// Files of a signed checklist (RFC 9323). They stay in the browser: only
// their digests are sent.

import type { Schema } from '../../lib/api'

type File = { name: string; arrayBuffer: () => Promise<ArrayBuffer> }

const allowed = /^[A-Za-z0-9._-]+$/ // RFC 9323 section 4.4.1: PortableFilename

const hex = (digest: ArrayBuffer): string => [...new Uint8Array(digest)].map((b) => b.toString(16).padStart(2, '0')).join('')

export const faultOfName = (name: string): string => (allowed.test(name) ? '' : `'${name}': letters, digits, '.', '_' and '-' only`)

// The digests of the files, with their names or without.
export async function digests(files: File[], named: boolean): Promise<Schema['ChecklistFile'][]> {
  const found: Schema['ChecklistFile'][] = []
  for (const file of files) {
    const hash = hex(await crypto.subtle.digest('SHA-256', await file.arrayBuffer()))
    found.push(named ? { name: file.name, hash } : { hash })
  }
  return found
}

// The time that is so many days later, as the API wants it: whole seconds.
export const daysLater = (now: number, days: number): string => new Date(Math.floor(now / 1000) * 1000 + days * 86_400_000).toISOString().replace('.000Z', 'Z')
