// The part of the address behind /ui says which screen is shown.

const base = '/ui'

class Router {
  #path = $state(current())
  #query = $state(location.search)

  constructor() {
    addEventListener('popstate', () => this.#read())
  }

  // Path below /ui: "/", "/login", "/cas/ca1/parents".
  get path() {
    return this.#path
  }

  // The path's segments, decoded.
  get segments() {
    return this.#path.split('/').filter(Boolean).map(decodeURIComponent)
  }

  get query() {
    return new URLSearchParams(this.#query)
  }

  go(path: string) {
    history.pushState(null, '', base + path)
    this.#read()
  }

  // Like go, but Back does not lead here again.
  replace(path: string) {
    history.replaceState(null, '', base + path)
    this.#read()
  }

  #read() {
    this.#path = current()
    this.#query = location.search
  }
}

function current() {
  const path = location.pathname
  return path.startsWith(base) ? path.slice(base.length) || '/' : '/'
}

export const router = new Router()

// For <a use:link href="/ui/…">: stays within the page on a plain click.
export function link(node: HTMLAnchorElement) {
  const click = (e: MouseEvent) => {
    if (e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey || node.target) return
    e.preventDefault()
    router.go(node.pathname.slice(base.length) + node.search)
  }
  node.addEventListener('click', click)
  return { destroy: () => node.removeEventListener('click', click) }
}
