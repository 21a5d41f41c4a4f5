// Which buttons and screens a user is shown. The server decides what is done:
// this only spares users what it would refuse, by what it told of their rights.

import { allows } from '../lib/rights'
import { session } from '../lib/session.svelte'

// Whether the user may do what asks for a permission, on a CA if it is about one.
export function may(permission: string, ca?: string): boolean {
  const rights = session.user?.rights
  return rights ? allows(rights, permission, ca) : false
}
