import { MAX_SEGMENTS, type PathSegments } from './pattern.js'

/*
 * Handlers below a wildcard read a path in different ways. File servers drop empty segments before they resolve `..`; URL
 * parsers keep them, so that `..` takes back an empty one. A backslash is a slash to some, `?` and `#` end a decoded path,
 * `;` begins parameters, and what a proxy sends on is decoded once more. A rule holds if one reading is among its paths.
 */

/** No pattern can distinguish longer paths, so further segments are dropped. */
export const MAX_READ_SEGMENTS = MAX_SEGMENTS + 1

/** An ambiguous path of more segments may be any path, so that no URL costs more than so many steps. */
const MAX_AMBIGUOUS_SEGMENTS = 128
/** As many segments as need to be known of any path. */
export const MAX_SPLIT_SEGMENTS = MAX_AMBIGUOUS_SEGMENTS + 1

/** What not all readers take for the same: see above. */
const AMBIGUOUS = /[\\?#;%\t\n\r]|(?:^|\/)\.{0,2}(?:\/|$)|[\0- ]$/

/** What a URL parser drops, or takes for the end of the path. */
const URL_CHARACTERS = /[?#\t\n\r]|[\0- ]$/
const SPACE = 0x20

/** Paths of every length whose segments are not known. */
const ANY_PATH: readonly PathSegments[] = Array.from({ length: MAX_READ_SEGMENTS + 1 }, (_, length) => new Array<null>(length).fill(null))

export function isAmbiguous (path: string): boolean {
  return AMBIGUOUS.test(path)
}

/**
 * Every interpretation of an ambiguous path, without duplicates. Those with `..` resolved come first; the literal one is last.
 *
 * `base`: the segments before the path. `..` removes some of them where the whole path is resolved, and none where only the
 * rest is. `path`: decoded. `rawPaths`: the whole path with `base`, split before decoding, for each way to find it in the URL.
 * `fold`: normalizes the case.
 */
export function interpretAmbiguousPath (
  base: PathSegments, path: string, rawPaths: string[][], fold: (text: string) => string
): PathSegments[] {
  const readings = new Readings()
  const literal = [...base, ...path.split('/', MAX_SPLIT_SEGMENTS)]
  const raw = rawPaths.filter((segments) => !areEqual(segments, literal)).flatMap(splitFurther)
  const decoded = splitInEveryWay(path, fold)
  if ([...raw, ...decoded].some(({ length }) => length > MAX_AMBIGUOUS_SEGMENTS)) return [...ANY_PATH]
  for (const segments of decoded) readings.addAll(base, segments)
  for (const segments of raw) {
    readings.addAll([], segments)
    if (base.length > 0) readings.addAll(base, segments.slice(base.length))
  }
  readings.addLast(literal)
  return readings.list()
}

class Readings {
  readonly #all: PathSegments[] = []

  /** Every way to resolve `..` and to drop empty segments, one after the other too, and none of both. */
  addAll (base: PathSegments, segments: readonly string[]): void {
    const hasEmpty = segments.includes('')
    const hasDots = segments.includes('..')
    for (const minDepth of hasDots && base.length > 0 ? [0, base.length] : [base.length]) {
      if (hasEmpty) this.#add(resolveDots(base, segments.filter((segment) => segment !== ''), minDepth))
      const kept = resolveDots(base, segments, minDepth)
      this.#add(kept)
      // A proxy may pass the path on to a server that decodes it again.
      const hasSlash = kept.some((segment) => segment !== null && segment.includes('/'))
      if ((hasEmpty && hasDots) || hasSlash) this.#add(resolveDots([], splitAgain(kept), 0))
    }
    this.#add([...base, ...segments])
  }

  addLast (segments: PathSegments): void {
    const index = this.#find(segments)
    if (index !== -1) this.#all.splice(index, 1)
    this.#add(segments)
  }

  list (): PathSegments[] {
    return this.#all
  }

  #add (segments: PathSegments): void {
    const kept = segments.length > MAX_READ_SEGMENTS ? segments.slice(0, MAX_READ_SEGMENTS) : segments
    if (this.#find(kept) === -1) this.#all.push(kept)
  }

  #find (segments: PathSegments): number {
    return this.#all.findIndex((known) => areEqual(known, segments))
  }
}

function areEqual (a: PathSegments, b: PathSegments): boolean {
  return a.length === b.length && a.every((segment, index) => segment === b[index])
}

/** At the slashes that were encoded, and without empty segments. */
function splitAgain (segments: PathSegments): PathSegments {
  return segments.flatMap((segment) => segment === null ? [segment] : segment.split('/')).filter((segment) => segment !== '')
}

/** Drop `.` segments, and let `..` take one back until only `minDepth` are left. */
function resolveDots (base: PathSegments, segments: PathSegments, minDepth: number): PathSegments {
  const resolved = [...base]
  for (const segment of segments) {
    if (segment === '..') {
      if (resolved.length > minDepth) resolved.pop()
    } else if (segment !== '.') {
      resolved.push(segment)
    }
  }
  return resolved
}

/** As it is, as a URL parser takes it, and both decoded once more. */
function splitInEveryWay (path: string, fold: (text: string) => string): string[][] {
  const url = URL_CHARACTERS.test(path) ? trimEnd(path).replace(/[\t\n\r]/g, '').replace(/[?#].*$/s, '') : path
  const texts = path.includes('%') ? new Set([path, url, fold(decode(path)), fold(decode(url))]) : new Set([path, url])
  return [...texts].flatMap((text) => splitFurther(text.split('/', MAX_SPLIT_SEGMENTS)))
}

function splitFurther (segments: string[]): string[][] {
  const ways = [segments]
  if (segments.some((segment) => segment.includes('\\'))) ways.push(segments.flatMap((segment) => segment.split('\\', MAX_SPLIT_SEGMENTS)))
  if (segments.some((segment) => segment.includes(';'))) ways.push(segments.map((segment) => segment.split(';', 1)[0]))
  return ways
}

/** Without control characters and spaces at its end. By hand: an expression would begin again at each of many spaces. */
function trimEnd (text: string): string {
  let end = text.length
  while (end > 0 && text.charCodeAt(end - 1) <= SPACE) end--
  return text.slice(0, end)
}

/** A text as it is where it cannot be decoded. */
export function decode (text: string): string {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
