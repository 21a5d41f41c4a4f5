// Who is logged in. The token lives in the tab's sessionStorage, as long as
// the tab does, and nowhere else.

const tokenKey = 'baleenToken'
const userKey = 'baleenUser'
const backKey = 'baleenBack'

export type User = { id: string; role: string }

class Session {
  #token = $state(sessionStorage.getItem(tokenKey))
  #user = $state.raw<User | null>(readUser())

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

  // The server renewed the session and gave it another token.
  renew(token: string) {
    if (this.#user) this.start(token, this.#user)
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
    return JSON.parse(sessionStorage.getItem(userKey) ?? 'null')
  } catch {
    return null
  }
}

export const session = new Session()
