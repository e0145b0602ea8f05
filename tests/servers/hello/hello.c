#include <stdio.h>

int main(void)
{
	return puts("hello from a package") < 0;
}
