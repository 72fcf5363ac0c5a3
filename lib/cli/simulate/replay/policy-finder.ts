import { copyText } from '../../../clients/address/address-reader.js'
import type { PolicySet } from '../../../policies/policy-set.js'
import type { Policy } from '../../../policies/policy.js'
import { createExemptMatcher } from '../../../routing/exempt-routes.js'
import { ROUTING } from '../../common/compile-errors.js'
import { TextTable } from '../common/text-table.js'
import type { LogEntry } from '../log/log-entry.js'

/** Paths cached per method. */
const MAX_PATHS = 16_384

/** More than Node.js accepts. */
const MAX_METHODS = 50

/** The status of a request that no route has. */
const NOT_FOUND = 404

/** The policy of a path. */
export interface FoundPolicy {
  /** `null`: no limit applies. */
  readonly policy: Policy | null
  /** The rule that it comes from; `null` for the default policy. */
  readonly rule: string | null
  /** The method, and the path with a placeholder for each id in it. */
  readonly route: string
}

interface PathPolicy extends FoundPolicy {
  /** Whether a route of this path is exempt. An unknown URL never is. */
  readonly isExemptRoute: boolean
}

/** The policies of the paths of one method. Many paths have the same one. */
class MethodPaths {
  readonly #numbers = new TextTable(MAX_PATHS)
  readonly #policies: PathPolicy[] = []
  readonly #numbersByRoute = new Map<string, number>()

  get isFull (): boolean {
    return this.#numbers.size >= MAX_PATHS
  }

  find (path: string): PathPolicy | null {
    const number = this.#numbers.find(path)
    return number === null ? null : this.#policies[number]
  }

  /** Add the policy of the path of the last look-up, which found none. Returns an equal one if there is one. */
  add (policy: PathPolicy): PathPolicy {
    const known = this.#numbersByRoute.get(policy.route)
    const isKnown = known !== undefined && isSame(this.#policies[known], policy)
    const number = isKnown ? known : this.#policies.push(policy) - 1
    if (!isKnown) this.#numbersByRoute.set(policy.route, number)
    this.#numbers.add(number)
    return this.#policies[number]
  }
}

/**
 * Finds the policies of the paths in a log, by the patterns of the rules. Routes are not known: a path is taken for that of
 * a route without limits of its own, unless its status is 404.
 */
export class PolicyFinder {
  readonly #policySet: PolicySet
  readonly #isExempt: (methods: readonly string[], url: string) => boolean
  readonly #pathsByMethod = new Map<string, MethodPaths>()

  constructor (policySet: PolicySet, exemptRoutes: readonly string[] | undefined) {
    this.#policySet = policySet
    this.#isExempt = createExemptMatcher(exemptRoutes, ROUTING)
  }

  find ({ method, path, status, given: { route } }: LogEntry): FoundPolicy {
    const found = this.#findPath(method, path, route)
    return found.isExemptRoute && status !== NOT_FOUND ? { ...found, policy: null } : found
  }

  #findPath (method: string, path: string, route: string | null): PathPolicy {
    const paths = this.#pathsByMethod.get(method) ?? this.#addMethod(method)
    const known = paths.find(path)
    if (known !== null) return known
    if (paths.isFull) this.#pathsByMethod.delete(method)
    return paths.add(this.#compute(method, path, route))
  }

  /** A log may have any number of invented methods. */
  #addMethod (method: string): MethodPaths {
    if (this.#pathsByMethod.size >= MAX_METHODS) this.#pathsByMethod.clear()
    const paths = new MethodPaths()
    this.#pathsByMethod.set(copyText(method), paths)
    return paths
  }

  #compute (method: string, path: string, route: string | null): PathPolicy {
    const policy = this.#policySet.findPolicyForUnknown({ method, url: path, params: null })
    const rule = policy === null ? null : this.#policySet.findRuleName(policy)
    // In the pattern of a route, these characters would have a meaning.
    const isExemptRoute = policy !== null && rule === null && !/[:*]/.test(path) && this.#isExempt([method], path)
    return { policy, rule, route: `${method} ${route ?? toTemplate(path)}`, isExemptRoute }
  }
}

function isSame (a: PathPolicy, b: PathPolicy): boolean {
  return a.policy === b.policy && a.rule === b.rule && a.isExemptRoute === b.isExemptRoute
}

const MAX_TEMPLATE_LENGTH = 120

/** A path with `:id` for each number, UUID and long text of digits and letters. So paths of one route are counted together. */
function toTemplate (path: string): string {
  return path.slice(0, MAX_TEMPLATE_LENGTH).split('/').map((segment) => isId(segment) ? ':id' : segment).join('/')
}

function isId (segment: string): boolean {
  return /^\d+$/.test(segment) || /^[\da-f-]{16,}$/i.test(segment) || (segment.length >= 20 && /\d/.test(segment))
}
