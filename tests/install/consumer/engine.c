/* The engine links and answers: a model that is not there is an I/O error with a text, and attention is in the same library. */
#include <rapt/engine.h>
#include <stdio.h>
#include <string.h>

int main(void) {
  rapt_model* model = NULL;
  const rapt_status status = rapt_model_load("no-such-model.safetensors", NULL, &model);
  if (status != RAPT_IO_ERROR || strstr(rapt_last_error(), "no-such-model.safetensors") == NULL) {
    printf("status %s, text \"%s\"\n", rapt_status_name(status), rapt_last_error());
    return 1;
  }
  rapt_machine_info info;
  rapt_machine_info_init(&info);
  if (rapt_get_machine_info(&info) != RAPT_OK) {
    puts(rapt_last_error());
    return 1;
  }
  printf("rapt_engine %s on %s: right\n", rapt_version(), info.chosen_isa);
  return 0;
}
