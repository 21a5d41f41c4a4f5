// How a CA stands with its repository.

import type { Schema } from '../../lib/api'

type CA = Pick<Schema['CAInfo'], 'repo_info' | 'resource_classes'>

// The resource classes whose current key still publishes elsewhere than where
// the CA was told to: the CA is moving there by a key roll.
export function movingClasses(ca: CA): string[] {
  const base = ca.repo_info?.sia_base
  if (!base) return []
  return Object.entries(ca.resource_classes)
    .filter(([, rc]) => {
      const keys = rc.keys.active ?? rc.keys.roll_pending ?? rc.keys.roll_new ?? rc.keys.roll_old
      return keys !== undefined && !keys.active_key.incoming_cert.ca_repository.startsWith(base)
    })
    .map(([name]) => name)
}

type Status = Pick<Schema['RepoStatus'], 'last_exchange' | 'published'>

export type Standing = { word: string; kind: 'good' | 'warn' | 'bad' }

export function standing(hasRepo: boolean, status: Status | null): Standing {
  if (!hasRepo) return { word: 'not configured', kind: 'warn' }
  if (!status?.last_exchange) return { word: 'no exchange yet', kind: 'warn' }
  return status.last_exchange.result === 'Success' ? { word: 'in order', kind: 'good' } : { word: 'last exchange failed', kind: 'bad' }
}
