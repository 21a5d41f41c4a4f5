// Logging in and out (docs/access.md).

import { askText } from './api'
import { cas } from './cas.svelte'
import { router } from './router.svelte'
import { session } from './session.svelte'

type LoggedIn = { token: string; id: string; attributes: Record<string, string> }

// Where the server wants users to log in: "/login", "/login?withId=true", or a
// provider's address elsewhere.
export const loginPlace = () => askText('/auth/login')

export async function logInWithToken(token: string) {
  began(await askText('/auth/login', { method: 'POST', headers: { Authorization: `Bearer ${token}` } }))
}

export async function logInWithPassword(id: string, password: string) {
  const bytes = new TextEncoder().encode(`${id}:${password}`)
  const basic = btoa(String.fromCharCode(...bytes))
  began(await askText('/auth/login', { method: 'POST', headers: { Authorization: `Basic ${basic}` } }))
}

function began(answer: string) {
  const user = JSON.parse(answer) as LoggedIn
  begin(user.token, user.id, user.attributes)
}

export function begin(token: string, id: string, attributes: Record<string, string>) {
  session.start(token, { id, role: attributes.role ?? '' })
  cas.list = null
}

// Ends the session at the server, and goes where it says.
export async function logOut() {
  let to = '/'
  try {
    to = await askText('/auth/logout', { method: 'POST' })
  } finally {
    session.end()
    sessionStorage.clear() // drafts too: the next user may be another one
    cas.list = null
    if (/^https?:/.test(to)) location.assign(to)
    else router.go('/login')
  }
}
