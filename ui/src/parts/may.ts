// Which buttons a user is shown. The server decides what is done: this only
// spares users of a role that the server knows buttons which it would refuse.
// Of roles that it does not know it assumes that they may do anything.

import { session } from '../lib/session.svelte'

const lacked: Record<string, string[]> = {
  readwrite: ['pub-admin', 'ca-admin', 'ca-delete'],
  readonly: ['pub-admin', 'ca-admin', 'ca-delete', 'ca-create', 'ca-update', 'pub-create', 'pub-delete', 'routes-update', 'aspas-update', 'bgpsec-update'],
}

export const may = (permission: string): boolean => !lacked[session.user?.role ?? '']?.includes(permission)
