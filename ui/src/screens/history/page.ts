// Pages of a history that the server lists oldest first and that is shown
// newest first.

// The part of a list of total entries, oldest first, that holds the page whose
// newest entry has skip entries after it.
export function part(total: number, skip: number, size: number): { offset: number; limit: number } {
  const end = Math.max(0, total - skip)
  const offset = Math.max(0, end - size)
  return { offset, limit: end - offset }
}

export type Filter = { actor: string; label: string; failed: '' | 'true' | 'false'; machine: boolean }

// The filter as arguments of the API: what filters nothing is left out.
export function query(filter: Filter): { actor?: string; label?: string; failed?: 'true' | 'false'; machine?: 'false' } {
  return {
    ...(filter.actor.trim() ? { actor: filter.actor.trim() } : {}),
    ...(filter.label.trim() ? { label: filter.label.trim() } : {}),
    ...(filter.failed ? { failed: filter.failed } : {}),
    ...(filter.machine ? {} : { machine: 'false' as const }),
  }
}
