// Which screen belongs to which address below /ui. This is the list of all
// screens.

import type { Component } from 'svelte'
import { may } from './parts/may'
import ASPAs from './screens/ASPAs.svelte'
import Children from './screens/Children.svelte'
import History from './screens/History.svelte'
import Home from './screens/Home.svelte'
import Issues from './screens/Issues.svelte'
import Keys from './screens/Keys.svelte'
import Login from './screens/Login.svelte'
import Missing from './screens/Missing.svelte'
import Objects from './screens/Objects.svelte'
import Onboarding from './screens/Onboarding.svelte'
import Parents from './screens/Parents.svelte'
import Repository from './screens/Repository.svelte'
import ROAs from './screens/ROAs.svelte'
import Server from './screens/Server.svelte'
import Settings from './screens/Settings.svelte'
import Testbed from './screens/Testbed.svelte'

export type Props = { ca?: string }

export type Shown = {
  screen: Component<any> // eslint-disable-line
  props: Props
  tab: string // of a CA, '' elsewhere
  needs: string[] // permissions of which the user must have one; none: whoever is logged in
  open?: boolean // needs no login
  bare?: boolean // stands without the frame
}

// Screens of a CA, by the segment behind its handle, with the permissions of
// which one must be had.
export const tabs: { path: string; title: string; screen: Component<{ ca: string }>; needs: string[] }[] = [
  { path: '', title: 'ROAs', screen: ROAs, needs: ['routes-analysis', 'routes-read'] },
  { path: 'aspas', title: 'ASPAs', screen: ASPAs, needs: ['aspas-read'] },
  { path: 'parents', title: 'Parents', screen: Parents, needs: ['ca-read'] },
  { path: 'repos', title: 'Repository', screen: Repository, needs: ['ca-read'] },
  { path: 'children', title: 'Children', screen: Children, needs: ['ca-read'] },
  { path: 'keys', title: 'Keys', screen: Keys, needs: ['ca-read'] },
  { path: 'objects', title: 'Objects', screen: Objects, needs: ['ca-read'] },
  { path: 'history', title: 'History', screen: History, needs: ['ca-read'] },
  { path: 'issues', title: 'Issues', screen: Issues, needs: ['ca-read'] },
  { path: 'settings', title: 'Settings', screen: Settings, needs: ['ca-read'] },
]

// Those that the user may see.
export const tabsOf = (ca: string) => tabs.filter((t) => t.needs.some((p) => may(p, ca)))

// The address of a CA: of its first screen that the user may see.
export function placeOf(ca: string): string {
  const tab = tabsOf(ca)[0]?.path
  return `/cas/${encodeURIComponent(ca)}${tab ? '/' + tab : ''}`
}

// Screens that belong to no CA, by their first segment.
const others: Record<string, Partial<Shown> & Pick<Shown, 'screen'>> = {
  login: { screen: Login, open: true, bare: true },
  onboarding: { screen: Onboarding, needs: ['ca-create'] },
  server: { screen: Server },
  testbed: { screen: Testbed, open: true },
}

const plain = { props: {}, tab: '', needs: [] }

export function screenFor(segments: string[]): Shown {
  const [first, ca, tab = ''] = segments
  if (first === undefined) return { ...plain, screen: Home }
  if (first === 'cas' && ca) {
    const found = tabs.find((t) => t.path === tab)
    if (found) return { screen: found.screen, props: { ca }, tab: found.path, needs: found.needs }
  }
  return { ...plain, screen: Missing, ...others[first] }
}
