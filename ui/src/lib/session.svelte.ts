// Who is logged in. The token lives in the tab's sessionStorage, as long as
// the tab does, and nowhere else.

import type { Rights } from './rights'

const tokenKey = 'baleenToken'
const userKey = 'baleenUser'
const backKey = 'baleenBack'

// rights is null until the server told them.
export type User = { id: string; role: string; rights: Rights | null }

class Session {
  #token = $state(sessionStorage.getItem(tokenKey))
  #user = $state.raw<User | null>(readUser())
  #doubts = $state(0)

  get token() {
    return this.#token
  }

  get user() {
    return this.#user
  }

  start(token: string, user: User) {
    sessionStorage.setItem(tokenKey, token)
    sessionStorage.setItem(userKey, JSON.stringify(user))
    this.#token = token
    this.#user = user
  }

  // The server renewed the session and gave it another token; what the user may
  // do may be different from now on.
  renew(token: string) {
    if (!this.#user) return
    this.start(token, this.#user)
    this.doubt()
  }

  // How often there was reason to ask again what the user may do.
  get doubts() {
    return this.#doubts
  }

  doubt() {
    this.#doubts++
  }

  // Where the user was when the session ended. It is asked for once.
  back(): string {
    const path = sessionStorage.getItem(backKey) ?? '/'
    sessionStorage.removeItem(backKey)
    return path
  }

  returnTo(path: string) {
    sessionStorage.setItem(backKey, path)
  }

  end() {
    sessionStorage.removeItem(tokenKey)
    sessionStorage.removeItem(userKey)
    this.#token = null
    this.#user = null
  }
}

function readUser(): User | null {
  try {
    const user = JSON.parse(sessionStorage.getItem(userKey) ?? 'null') as User | null
    return user && { ...user, rights: user.rights ?? null }
  } catch {
    return null
  }
}

export const session = new Session()
