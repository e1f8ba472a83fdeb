import { expect, it } from '@jest/globals';
import type { JobJson } from 'bullmq';
import type { JobData } from '../../../../../lib/engine/bullmq/jobs/job-data.js';
import { writeFailure } from '../../../../../lib/engine/bullmq/jobs/job-failure.js';
import { runsAgain } from '../../../../../lib/engine/bullmq/jobs/run-again.js';
import { cancellation } from '../../../../../lib/engine/failures.js';

const ENDED = 1_000_000;
const SOON = ENDED + 10;
const LATER = ENDED + 60_000;

function failedJob(run: number | undefined, failure = cancellation('enough')): JobJson {
  const { message, stack } = writeFailure(failure, null, run);
  return { failedReason: message, stacktrace: JSON.stringify([stack]), finishedOn: ENDED } as JobJson;
}

function dataOf(data: Partial<JobData>): JobData {
  return { args: [], ...data };
}

const again = dataOf({ cancelled: { at: 1, again: true } });
const rerun = dataOf({ rerun: { count: 2, abandoned: 0 } });

const promised = dataOf({ rerun: { count: 2, abandoned: 0, asked: true } });

it.each([
  ['its mark asks for another run', failedJob(0), again, SOON],
  ['its mark asks for another run, and its worker is gone', failedJob(0), again, LATER],
  ['a caller has run it again since', failedJob(1), rerun, SOON],
  ['a process died while it ran it again as its mark asked', failedJob(1), promised, LATER],
])('the end of a cancelled run is no end when %s', (_, json, data, now) => {
  expect(runsAgain(json, data, now)).toBe(true);
});

it.each([
  ['nobody asks for another run', failedJob(0), dataOf({ cancelled: { at: 1 } }), SOON],
  ['it is the end of the last run', failedJob(2), rerun, SOON],
  ['the failure does not tell its run, as those of version 0.1.0', failedJob(undefined), rerun, SOON],
  ['the run failed by itself', failedJob(undefined, { name: 'Error', message: 'no' }), again, SOON],
  ['the caller died while it ran it again', failedJob(1), rerun, LATER],
  ['it is the end of the run that its mark asked for', failedJob(2), promised, SOON],
  ['it has not ended', { ...failedJob(0), finishedOn: undefined }, again, SOON],
])('the end of a run is an end when %s', (_, json, data, now) => {
  expect(runsAgain(json, data, now)).toBe(false);
});
