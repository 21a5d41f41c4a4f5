// Logging in and out (docs/access.md).

import { api, ask, askText, type Schema } from './api'
import { cas } from './cas.svelte'
import { notices } from './notices.svelte'
import { router } from './router.svelte'
import { session, type User } from './session.svelte'

type LoggedIn = Schema['LoggedInUser']

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
  session.start(user.token, userOf(user))
  cas.list = null
}

const userOf = ({ id, attributes, permissions, cas }: Schema['User']): User => ({ id, role: attributes.role ?? '', rights: { permissions, cas } })

// Begins the session that a provider's login brought back; what the user may do
// is still to be asked.
export function begin(token: string, id: string, attributes: Record<string, string>) {
  session.start(token, { id, role: attributes.role ?? '', rights: null })
  session.doubt()
  cas.list = null
}

// Asks the server what the user may do now.
export async function learnRights() {
  if (session.token === null) return
  const before = session.user
  const now = userOf(await ask(api.GET('/api/v1/user')))
  if (session.token === null || session.user?.id !== before?.id) return // another one logged in meanwhile
  const user = { ...now, id: before?.id ?? now.id }
  if (JSON.stringify(user) === JSON.stringify(session.user)) return
  session.start(session.token, user)
  if (!before?.rights) return
  notices.done('What you may do here was changed.')
  await cas.load()
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
