/** Headers travel with a task, and on to the tasks which that task enqueues. */
export type Headers = Readonly<Record<string, string>>;
