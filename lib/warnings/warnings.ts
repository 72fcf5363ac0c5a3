import { warnings } from '../errors.js'
import { burstAboveMax, longWindowAlone, shortCooldown, shortDelay, shortWindow } from './limit-warnings.js'
import { exemptsEveryAddress, trustsEveryAddress } from './network-warnings.js'
import { openLogin, ruleNeverApplies, ruleWithoutMatch, tierWithoutUsers } from './rule-warnings.js'
import type { WarningInput } from './warning-input.js'

export interface Warning {
  /** Begins with its place. */
  readonly text: string
  readonly code: string
}

/** Checks for options that are valid but probably wrong. Each returns a text for every case, beginning with its place. */
const CHECKS: ReadonlyArray<readonly [code: string, findCases: (input: WarningInput) => readonly string[]]> = [
  [warnings.ruleWithoutMatch, ruleWithoutMatch],
  [warnings.ruleNeverApplies, ruleNeverApplies],
  [warnings.tierWithoutUsers, tierWithoutUsers],
  [warnings.openLogin, openLogin],
  [warnings.longWindowAlone, longWindowAlone],
  [warnings.shortWindow, shortWindow],
  [warnings.burstAboveMax, burstAboveMax],
  [warnings.shortCooldown, shortCooldown],
  [warnings.shortDelay, shortDelay],
  [warnings.trustsEveryAddress, trustsEveryAddress],
  [warnings.exemptsEveryAddress, exemptsEveryAddress]
]

/** All warnings, without duplicates: several policies may inherit the same option. */
export function findWarnings (input: WarningInput): Warning[] {
  return CHECKS.flatMap(([code, findCases]) => [...new Set(findCases(input))].map((text) => ({ text, code })))
}
