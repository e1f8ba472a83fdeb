/* The chosen theme, before the first paint. The dashboard has the same cookie, so one choice counts for both. */
{
  const KEY = 'task-dashboard-theme';
  const THEMES = ['auto', 'light', 'dark'];
  const names = { auto: 'as the system', light: 'light', dark: 'dark' };

  const chosen = () => {
    const theme = new RegExp(`(?:^|; )${KEY}=(\\w+)`).exec(document.cookie)?.[1];
    return THEMES.includes(theme) ? theme : 'auto';
  };
  const apply = () => {
    document.documentElement.dataset.theme = chosen();
  };

  apply();
  addEventListener('focus', apply);
  addEventListener('DOMContentLoaded', () => {
    const button = document.getElementById('theme');
    const name = () => {
      button.querySelector('span').textContent = names[chosen()];
    };
    button.hidden = false;
    name();
    addEventListener('focus', name);
    button.addEventListener('click', () => {
      const next = THEMES[(THEMES.indexOf(chosen()) + 1) % THEMES.length];
      document.cookie = `${KEY}=${next}; path=/; max-age=31536000; samesite=lax`;
      apply();
      name();
    });
  });
}
