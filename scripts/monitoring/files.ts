import { dump } from 'js-yaml';
import { alertRules } from './alert-rules.js';
import { dashboard } from './dashboard.js';

const HEAD = '# Made by `npm run monitoring` from lib/metrics/metric-list.ts and scripts/monitoring/alert-rules.ts.\n';

/** The files of the folder `monitoring`, by their names. */
export function monitoringFiles(): Record<string, string> {
  const rules = { groups: [{ name: 'nestjs-task-queue', rules: alertRules() }] };
  return {
    'alerts.yml': HEAD + dump(rules, { lineWidth: -1, noRefs: true }),
    'grafana-dashboard.json': `${JSON.stringify(dashboard(), null, 2)}\n`,
  };
}
