// Wrong builds of the package, to show that the checker finds what they break: three of the wrong rules of models/lease-rules.ts,
// and others, compiled into a copy of dist.
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** What a wrong build says in place of what. */
interface Change {
  readonly from: string
  readonly to: string
}

export const BROKEN: Readonly<Record<string, readonly Change[]>> = {
  // of models/lease-rules.ts
  'spent units are given back': [
    { from: 'local freed = min(report.returned, known)', to: 'local freed = min(report.returned + report.spent, known)' }
  ],
  'leased units are not counted as used': [
    { from: 'addUnits(quota, bucket, units)\\n    return units', to: 'return units' }
  ],
  'no expiry at the holder': [
    { from: 'lease.left < cost || nowUs > lease.endUs', to: 'lease.left < cost' },
    { from: 'lease !== null && (nowUs > lease.endUs || ', to: 'lease !== null && (' }
  ],
  // others
  'a wait is rounded down': [
    { from: 'Math.max(1, Math.ceil(decision.retryAfterMs / 1000))', to: 'Math.max(1, Math.floor(decision.retryAfterMs / 1000))' }
  ],
  'a refused request is charged': [
    { from: 'one.isCharged = one.result.granted and (isGranted or (one.quota.isShadow == 1 and not isBlocked))', to: 'one.isCharged = one.result.granted' }
  ],
  'only the first limit is charged': [
    { from: 'one.isCharged = one.result.granted and (', to: 'one.isCharged = i == 1 and one.result.granted and (' }
  ]
}

const DIST = 'dist'
/** Inside of the package, so that it finds its dependencies. */
const COPIES = join('.compiled', 'broken')

/** The address of the package with these changes; `null`: as it is. */
export function breakPackage (name: string | null): string {
  if (name === null) return pathToFileURL(join(DIST, 'index.js')).href
  const folder = join(COPIES, name.replaceAll(' ', '-'))
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  cpSync(DIST, folder, { recursive: true })
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.js')).map((path) => join(folder, path))
  for (const { from, to } of BROKEN[name]) {
    const changed = files.filter((file) => {
      const text = readFileSync(file, 'utf8')
      if (!text.includes(from)) return false
      writeFileSync(file, text.replaceAll(from, to))
      return true
    })
    if (changed.length === 0) throw new Error(`the package has no "${from}"`)
  }
  return pathToFileURL(join(folder, 'index.js')).href
}
