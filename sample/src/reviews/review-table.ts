export interface ReviewTable {
  id: string;
  visitor: string;
  name: string;
  email: string;
  stars: number;
  text: string;
  written_at: string;
  /** The id of the task that mails the thanks. */
  task: string | null;
  mailed_at: string | null;
}
