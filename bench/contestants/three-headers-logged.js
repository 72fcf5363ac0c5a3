import { sluiceEverything } from './sluice-everything.js'
import { threeHeaders } from './three-headers.js'

/** The ceiling of an application that logs: a logger costs each request something, limited or not. */
export const threeHeadersLogged = {
  title: 'bare, three headers written, a logger at info',
  server: sluiceEverything.server,
  add: threeHeaders.add
}
