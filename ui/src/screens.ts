// Which screen belongs to which address below /ui. This is the list of all
// screens.

import type { Component } from 'svelte'
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
  open?: boolean // needs no login
  bare?: boolean // stands without the frame
}

// Screens of a CA, by the segment behind its handle.
export const tabs: { path: string; title: string; screen: Component<{ ca: string }> }[] = [
  { path: '', title: 'ROAs', screen: ROAs },
  { path: 'aspas', title: 'ASPAs', screen: ASPAs },
  { path: 'parents', title: 'Parents', screen: Parents },
  { path: 'repos', title: 'Repository', screen: Repository },
  { path: 'children', title: 'Children', screen: Children },
  { path: 'keys', title: 'Keys', screen: Keys },
  { path: 'objects', title: 'Objects', screen: Objects },
  { path: 'history', title: 'History', screen: History },
  { path: 'issues', title: 'Issues', screen: Issues },
  { path: 'settings', title: 'Settings', screen: Settings },
]

// Screens that belong to no CA, by their first segment.
const others: Record<string, Omit<Shown, 'props' | 'tab'>> = {
  login: { screen: Login, open: true, bare: true },
  onboarding: { screen: Onboarding },
  server: { screen: Server },
  testbed: { screen: Testbed, open: true },
}

export function screenFor(segments: string[]): Shown {
  const [first, ca, tab = ''] = segments
  if (first === undefined) return { screen: Home, props: {}, tab: '' }
  if (first === 'cas' && ca) {
    const found = tabs.find((t) => t.path === tab)
    if (found) return { screen: found.screen, props: { ca }, tab: found.path }
  }
  const other = others[first]
  return other ? { ...other, props: {}, tab: '' } : { screen: Missing, props: {}, tab: '' }
}
