// How a CA stands with its parents.

import type { Schema } from '../../lib/api'

type Status = Schema['ParentStatus']
type Statuses = Record<string, Status>
type CA = Pick<Schema['CAInfo'], 'repo_info' | 'resource_classes'>

export type Standing = { word: string; kind: 'good' | 'warn' | 'bad' }

export function standing(status: Status): Standing {
  if (!status.last_exchange) return { word: 'no exchange yet', kind: 'warn' }
  if (status.last_exchange.result !== 'Success') return { word: 'last exchange failed', kind: 'bad' }
  return status.classes.length > 0 ? { word: 'in order', kind: 'good' } : { word: 'entitles to nothing', kind: 'warn' }
}

// The CA's own classes under a parent: their names here, by the name that the
// parent gives them.
export const classesUnder = (info: CA, parent: string): { here: string; there: string; keys: Schema['KeyState'] }[] =>
  Object.entries(info.resource_classes)
    .filter(([, rc]) => rc.parent_handle === parent)
    .map(([here, rc]) => ({ here, there: rc.name_space, keys: rc.keys }))

// Whether something is under way that will soon show: a parent that was not
// asked yet, or a class whose certificate was asked for.
export function awaited({ statuses, info }: { statuses: Statuses; info: CA }): boolean {
  if (info.repo_info === null) return false
  return (
    Object.values(statuses).some((s) => s.last_exchange === null) ||
    Object.values(info.resource_classes).some((rc) => rc.keys.pending !== undefined || rc.keys.roll_pending !== undefined)
  )
}

// Something that differs as soon as a parent was asked again.
export const fingerprint = (statuses: Statuses): string => JSON.stringify(Object.entries(statuses).map(([name, s]) => [name, s.last_exchange, s.classes.length]))
